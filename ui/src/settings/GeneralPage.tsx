import { Monitor, Moon, Sun } from "lucide-react";
import { Select, Switch } from "@/components";
import { type Settings, type Theme } from "@/protocol/generated";
import { useEngines } from "@/state/workspaces";
import { NumberSetting, TextSetting } from "./controls";
import { Group, Page, Row } from "./Page";
import { useChangeSettings } from "./save";

const THEMES: { value: Theme; label: string; icon: React.ReactNode }[] = [
  { value: "system", label: "As the system", icon: <Monitor size={14} aria-hidden /> },
  { value: "light", label: "Light", icon: <Sun size={14} aria-hidden /> },
  { value: "dark", label: "Dark", icon: <Moon size={14} aria-hidden /> },
];

// "first" stands for no choice: Radix wants every option to have a value.
const FIRST = "first";

export function GeneralPage({ settings }: { settings: Settings }) {
  const change = useChangeSettings(settings);
  const engines = useEngines().data ?? [];
  return (
    <Page title="General">
      <Group title="Appearance">
        <Row>
          <div className="flex items-center justify-between gap-4">
            <span>Theme</span>
            <Select
              label="Theme"
              value={settings.theme}
              onChange={(theme) => change({ theme })}
              options={THEMES}
            />
          </div>
        </Row>
      </Group>

      <Group title="Editor">
        <Row>
          <NumberSetting
            label="Font size"
            unit="px"
            min={8}
            max={32}
            value={settings.editor_font_size}
            onCommit={(value) => change({ editor_font_size: value })}
          />
        </Row>
        <Row>
          <NumberSetting
            label="Tab size"
            description="Spaces a tab stands for, where a file does not show it."
            min={1}
            max={16}
            value={settings.tab_size}
            onCommit={(value) => change({ tab_size: value })}
          />
        </Row>
        <Row>
          <NumberSetting
            label="Save by itself after"
            description="Since the last change; 0 for never. Unsaved text survives a restart either way."
            unit="ms"
            min={0}
            max={3_600_000}
            value={settings.autosave_delay_ms}
            onCommit={(value) => change({ autosave_delay_ms: value })}
          />
        </Row>
        <Row>
          <Switch
            label="Wrap long lines"
            checked={settings.word_wrap}
            onChange={(value) => change({ word_wrap: value })}
          />
        </Row>
        <Row>
          <Switch
            label="Show minimap"
            checked={settings.minimap}
            onChange={(value) => change({ minimap: value })}
          />
        </Row>
      </Group>

      <Group title="Terminal">
        <Row>
          <NumberSetting
            label="Font size"
            unit="px"
            min={8}
            max={32}
            value={settings.terminal_font_size}
            onCommit={(value) => change({ terminal_font_size: value })}
          />
        </Row>
      </Group>

      <Group title="New workspaces">
        <Row>
          <div className="flex items-center justify-between gap-4">
            <span>Engine</span>
            <Select
              label="Engine for new workspaces"
              value={settings.default_engine ?? FIRST}
              onChange={(id) => change({ default_engine: id === FIRST ? undefined : id })}
              options={[
                { value: FIRST, label: "The first that is ready" },
                ...engines.map((engine) => ({ value: engine.id, label: engine.name })),
              ]}
            />
          </div>
        </Row>
        <Row>
          <TextSetting
            label="Base image is made from"
            description="An image based on Debian. The base image is built anew for the next workspace."
            mono
            value={settings.base_image_from}
            check={(text) =>
              text === "" || /\s/.test(text) ? "An image's name, for instance debian:bookworm." : undefined
            }
            onCommit={(value) => change({ base_image_from: value })}
          />
        </Row>
        <Row>
          <TextSetting
            label="Network range"
            description="Each workspace's network takes 16 addresses of it."
            mono
            value={settings.network_range}
            check={checkRange}
            onCommit={(value) => change({ network_range: value })}
          />
        </Row>
      </Group>

      <Group title="Ports">
        <Row>
          <Switch
            label="Forward ports by themselves"
            description="When a program in a workspace starts to listen, its port becomes reachable from this machine."
            checked={settings.auto_forward}
            onChange={(value) => change({ auto_forward: value })}
          />
        </Row>
      </Group>
    </Page>
  );
}

function checkRange(text: string): string | undefined {
  const [, a, b, c, d, bits] = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\/(\d+)$/.exec(text) ?? [];
  const parts = [a, b, c, d].map(Number);
  const fits =
    bits !== undefined && Number(bits) >= 8 && Number(bits) <= 28 && parts.every((part) => part <= 255);
  return fits ? undefined : "An IPv4 range of at least 16 addresses, for instance 10.213.0.0/16.";
}
