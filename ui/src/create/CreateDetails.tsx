import { Checkbox, Combobox, Field, Input, Select } from "@/components";
import { healthWord, offLast, SWITCH_ON } from "@/dashboard/health";
import { cx } from "@/lib/cx";
import {
  type EngineCapabilities,
  type EngineInfo,
  type ImageInfo,
  type Settings,
} from "@/protocol/generated";
import { formatBytes } from "@/lib/format";
import { imageChoices } from "./offline";
import { type Details, type Problems } from "./draft";
import { baseImage, can, profilesOn } from "./engine";
import { type Reading } from "./recognise";

export interface CreateDetailsProps {
  reading: Reading;
  details: Details;
  onChange: (details: Details) => void;
  problems: Problems;
  engines: readonly EngineInfo[];
  /** The one that the workspace would be made on. */
  engine: EngineInfo | undefined;
  settings: Settings | undefined;
  /** What is on the engine. */
  images: readonly ImageInfo[];
}

export function CreateDetails({
  reading,
  details,
  onChange,
  problems,
  engines,
  engine,
  settings,
  images,
}: CreateDetailsProps) {
  const set = <K extends keyof Details>(key: K, value: Details[K]) => onChange({ ...details, [key]: value });
  const where = engine?.kind === "kubernetes" ? "" : " on this machine";
  const unable = (ability: keyof EngineCapabilities, what: string) =>
    engine && !can(engine, ability) ? `${engine.name} does not ${what}${where}.` : undefined;
  const text = (key: "name" | "branch" | "memoryGb" | "cpus" | "pids" | "ports") => ({
    value: details[key],
    onChange: (event: React.ChangeEvent<HTMLInputElement>) => set(key, event.target.value),
    invalid: problems[key] !== undefined,
  });
  const noMemory = unable("memory_limit", "enforce memory limits");
  const noCpu = unable("cpu_limit", "enforce CPU limits");
  const noPids = unable("pids_limit", "limit processes");
  const noGpu = unable("gpu", "offer a GPU");
  const noPorts = unable("published_ports", "publish ports");
  const base = baseImage(engine, settings);
  const profiles = profilesOn(engine);
  const profile = profiles.find((entry) => entry.value === details.profile);
  const network = details.profile === "locked" && reading.kind === "git";

  return (
    <div className="grid grid-cols-1 gap-x-4 gap-y-3 sm:grid-cols-2">
      <Field label="Name" error={problems.name}>
        {(ids) => <Input {...ids} {...text("name")} placeholder={reading.name ?? "From the source"} />}
      </Field>
      {reading.source.kind === "git" && (
        <Field label="Branch or tag">
          {(ids) => (
            <Input
              {...ids}
              {...text("branch")}
              placeholder={
                (reading.source.kind === "git" ? reading.source.branch : undefined) ??
                "The repository's default"
              }
            />
          )}
        </Field>
      )}
      <Field label="Engine">
        {(ids) => (
          <Select
            {...ids}
            label="Engine"
            value={engine?.id ?? ""}
            onChange={(id) => set("engine", id)}
            options={offLast(engines).map((entry) => ({
              value: entry.id,
              label: entry.name,
              disabled: entry.health !== "ready",
              ...(entry.health === "ready"
                ? {}
                : { description: entry.health === "off" ? SWITCH_ON : healthWord(entry) }),
            }))}
          />
        )}
      </Field>
      {reading.kind !== "image" && (
        <Field
          label="Image"
          help={base.help}
          error={problems.image}
          className={reading.source.kind === "git" ? "min-w-0" : "min-w-0 sm:col-span-2"}
        >
          {(ids) => (
            <Combobox
              {...ids}
              mono
              listLabel="Images on the engine"
              placeholder={base.name}
              value={details.image}
              invalid={problems.image !== undefined}
              onChange={(image) => set("image", image)}
              options={imageChoices(images).map(({ value, bytes }) => ({ value, note: formatBytes(bytes) }))}
            />
          )}
        </Field>
      )}
      <Field
        label="Profile"
        help={
          network ? `${profile?.description ?? ""} The clone itself still has network.` : profile?.description
        }
        className="sm:col-span-2"
      >
        {(ids) => (
          <Select
            {...ids}
            label="Profile"
            value={details.profile}
            onChange={(value) => set("profile", value)}
            options={profiles}
          />
        )}
      </Field>
      <div className="grid grid-cols-1 gap-x-4 gap-y-3 sm:col-span-2 sm:grid-cols-3">
        <Field label="Memory limit, GB" error={problems.memoryGb} help={noMemory}>
          {(ids) => (
            <Input
              {...ids}
              {...text("memoryGb")}
              inputMode="decimal"
              placeholder="None"
              disabled={noMemory !== undefined}
            />
          )}
        </Field>
        <Field label="CPU limit, cores" error={problems.cpus} help={noCpu}>
          {(ids) => (
            <Input
              {...ids}
              {...text("cpus")}
              inputMode="decimal"
              placeholder="None"
              disabled={noCpu !== undefined}
            />
          )}
        </Field>
        <Field label="Process limit" error={problems.pids} help={noPids}>
          {(ids) => (
            <Input
              {...ids}
              {...text("pids")}
              inputMode="numeric"
              placeholder="None"
              disabled={noPids !== undefined}
            />
          )}
        </Field>
      </div>
      <Field
        label="Published ports"
        error={problems.ports}
        help={
          noPorts === undefined
            ? "Rarely needed: ports that programs open are forwarded anyway."
            : `${noPorts} Ports are forwarded by themselves.`
        }
        className="sm:col-span-2"
      >
        {(ids) => (
          <Input
            {...ids}
            {...text("ports")}
            mono
            placeholder="8080, 3000:80"
            disabled={noPorts !== undefined}
          />
        )}
      </Field>
      <Field label="Environment" error={problems.env} className="sm:col-span-2">
        {(ids) => (
          <textarea
            {...ids}
            rows={2}
            value={details.env}
            onChange={(event) => set("env", event.target.value)}
            placeholder="NAME=value, one a line"
            spellCheck={false}
            className={cx(
              "rounded-md border bg-canvas px-2 py-1 font-mono text-sm focus-visible:outline-1",
              problems.env === undefined ? "border-line-strong" : "border-failed",
            )}
          />
        )}
      </Field>
      <Checkbox
        checked={details.certificates}
        onChange={(value) => set("certificates", value)}
        label="Trust this machine's certificate authorities"
        className="sm:col-span-2"
      >
        Trust this machine&apos;s certificate authorities
        <span className="block text-sm text-faint">
          Needed behind a proxy that signs with a company&apos;s own authority.
        </span>
      </Checkbox>
      <Checkbox
        checked={details.gpu}
        onChange={(value) => set("gpu", value)}
        label="Pass the GPU on"
        disabled={noGpu !== undefined}
        className="sm:col-span-2"
      >
        Pass the GPU on
        {noGpu !== undefined && <span className="block text-sm text-faint">{noGpu}</span>}
      </Checkbox>
    </div>
  );
}
