import { Monitor, Moon, Sun } from "lucide-react";
import { Select, Switch, toastError } from "@/components";
import { offLast, SWITCH_ON } from "@/dashboard/health";
import { type Settings, type Theme } from "@/protocol/generated";
import { useChangePart } from "@/state/settings";
import { useEngines } from "@/state/workspaces";
import { NumberSetting, TextSetting } from "./controls";
import { Group, Page, Row } from "./Page";
import { useChangeSettings } from "./save";
import { SCHEMA, type Takes } from "./schema";

const ICONS: Record<Theme, React.ReactNode> = {
  system: <Monitor size={14} aria-hidden />,
  light: <Sun size={14} aria-hidden />,
  dark: <Moon size={14} aria-hidden />,
};

// "first" stands for no choice: Radix wants every option to have a value.
const FIRST = "first";

/** Settings whose values one of the form's plain controls takes. */
type PlainKey = Exclude<
  keyof Settings,
  "default_engine" | "clusters" | "models" | "local_models" | "offline"
>;

interface SettingProps<K extends PlainKey> {
  settings: Settings;
  id: K;
  change: (change: Partial<Settings>) => void;
}

/** One setting with the control that its schema asks for. */
function Setting<K extends PlainKey>({ settings, id, change }: SettingProps<K>) {
  const { label, description, takes } = SCHEMA[id];
  const put = (value: string | number | boolean) => change({ [id]: value });
  return <Row>{control(takes, { label, description }, settings[id], put)}</Row>;
}

function control(
  takes: Takes,
  words: { label: string; description: string },
  value: string | number | boolean,
  put: (value: string | number | boolean) => void,
) {
  switch (takes.kind) {
    case "switch":
      return <Switch {...words} checked={value === true} onChange={put} />;
    case "number":
      return <NumberSetting {...words} {...takes} value={Number(value)} onCommit={put} />;
    case "object":
      // Has a page of its own.
      return null;
    case "text":
      return <TextSetting {...words} mono value={String(value)} check={takes.check} onCommit={put} />;
    case "choice":
      return (
        <div className="flex items-center justify-between gap-4">
          <span>{words.label}</span>
          <Select
            label={words.label}
            value={String(value)}
            onChange={put}
            options={takes.values.map((choice) => ({ ...choice, icon: ICONS[choice.value as Theme] }))}
          />
        </div>
      );
  }
}

export function GeneralPage({ settings }: { settings: Settings }) {
  const change = useChangeSettings(settings);
  const engines = useEngines().data ?? [];
  const of = { settings, change };
  return (
    <Page title="General">
      <Group title="Appearance">
        <Setting {...of} id="theme" />
      </Group>

      <Group title="Editor">
        <Setting {...of} id="editor_font_size" />
        <Setting {...of} id="tab_size" />
        <Setting {...of} id="autosave_delay_ms" />
        <Setting {...of} id="word_wrap" />
        <Setting {...of} id="minimap" />
      </Group>

      <Group title="Terminal">
        <Setting {...of} id="terminal_font_size" />
      </Group>

      <Group title="New workspaces">
        <Row>
          <div className="flex items-center justify-between gap-4">
            <span>{SCHEMA.default_engine.label}</span>
            <Select
              label="Engine for new workspaces"
              value={settings.default_engine ?? FIRST}
              onChange={(id) => change({ default_engine: id === FIRST ? undefined : id })}
              options={[
                { value: FIRST, label: "The first that is ready" },
                ...offLast(engines).map((engine) => ({
                  value: engine.id,
                  label: engine.name,
                  ...(engine.health === "off" ? { disabled: true, description: SWITCH_ON } : {}),
                })),
              ]}
            />
          </div>
        </Row>
        <Setting {...of} id="base_image_from" />
        <Setting {...of} id="network_range" />
      </Group>

      <Group title="Network">
        <OfflineSetting offline={settings.offline} />
      </Group>

      <Group title="Ports">
        <Setting {...of} id="auto_forward" />
      </Group>
    </Page>
  );
}

/** Shown as the host has taken it: what it promises must be true. */
function OfflineSetting({ offline }: { offline: boolean }) {
  const change = useChangePart("offline");
  return (
    <Row>
      <Switch
        label={SCHEMA.offline.label}
        description={SCHEMA.offline.description}
        checked={offline}
        disabled={change.isPending}
        onChange={(on) => change.mutate(() => on, { onError: toastError })}
      />
    </Row>
  );
}
