import { Braces, BrainCircuit, ChartColumn, Container, Keyboard, SlidersHorizontal } from "lucide-react";
import { lazy, Suspense } from "react";
import { persistently } from "@/lib/persistently";
import { useCall } from "@/client";
import { ErrorState, Loading, Skeleton } from "@/components";
import { cx } from "@/lib/cx";
import { type ModelsPart, openSettings, type SettingsSection } from "@/state/navigation";
import { EnginesPage } from "./EnginesPage";
import { GeneralPage } from "./GeneralPage";
import { KeysPage } from "./KeysPage";
import { ModelsPage } from "./models/ModelsPage";
import { UsagePage } from "./usage/UsagePage";

const JsonPage = lazy(() =>
  persistently(() => import("./JsonPage")).then((module) => ({ default: module.JsonPage })),
);

const SECTIONS: { section: SettingsSection; title: string; icon: React.ReactNode }[] = [
  { section: "general", title: "General", icon: <SlidersHorizontal size={16} aria-hidden /> },
  { section: "engines", title: "Engines", icon: <Container size={16} aria-hidden /> },
  { section: "models", title: "Models", icon: <BrainCircuit size={16} aria-hidden /> },
  { section: "usage", title: "Usage", icon: <ChartColumn size={16} aria-hidden /> },
  { section: "keys", title: "Keyboard shortcuts", icon: <Keyboard size={16} aria-hidden /> },
  { section: "json", title: "As JSON", icon: <Braces size={16} aria-hidden /> },
];

export function Settings({
  section,
  part,
}: {
  section: SettingsSection;
  /** Of the settings of models. */
  part?: ModelsPart | undefined;
}) {
  return (
    <div className="flex h-full flex-col sm:flex-row">
      <nav
        aria-label="Settings"
        className="flex shrink-0 gap-0.5 overflow-x-auto border-line p-2 max-sm:border-b sm:w-52 sm:flex-col sm:border-r sm:p-3"
      >
        {SECTIONS.map((entry) => (
          <button
            key={entry.section}
            type="button"
            aria-current={entry.section === section ? "page" : undefined}
            onClick={() => openSettings(entry.section)}
            className={cx(
              "flex h-7 shrink-0 items-center pointer-coarse:h-9 gap-2 rounded-md px-2",
              entry.section === section
                ? "bg-active font-medium text-fg"
                : "text-muted hover:bg-hover hover:text-fg",
            )}
          >
            {entry.icon}
            {entry.title}
          </button>
        ))}
      </nav>
      <div className="min-h-0 min-w-0 flex-1 overflow-auto">
        <Section section={section} part={part} />
      </div>
    </div>
  );
}

function Section({ section, part }: { section: SettingsSection; part: ModelsPart | undefined }) {
  const settings = useCall("settings.get", {});
  if (section === "engines") return <EnginesPage />;
  if (section === "keys") return <KeysPage />;
  if (settings.isError) {
    return (
      <div className="p-6">
        <ErrorState
          title="The settings could not be read"
          error={settings.error}
          onRetry={() => void settings.refetch()}
        />
      </div>
    );
  }
  const waiting = (
    <Loading>
      <Skeleton className="m-6 h-60" />
    </Loading>
  );
  if (!settings.data) return waiting;
  if (section === "general") return <GeneralPage settings={settings.data} />;
  if (section === "models") return <ModelsPage settings={settings.data} part={part} />;
  if (section === "usage") return <UsagePage settings={settings.data} />;
  return (
    <Suspense fallback={waiting}>
      <JsonPage settings={settings.data} />
    </Suspense>
  );
}
