// The desktop window's part of P8: `node desktop.mjs HOME RUNS WORKSPACE FILE`, on a home that has workspaces.
// Prints one line of JSON. Times are from the start of the process, as the kernel has it, until the page shows.
import { readFileSync, readdirSync, readlinkSync } from "node:fs";
import { basename } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Application } from "../../../../../tests/window/application.mjs";
import { Key, until } from "../../../../../tests/window/webdriver.mjs";

const [home, runs, workspace, file] = process.argv.slice(2);
const SETTLE_MS = 4000;
const LIVE_MS = 14_000;
/** Untouched for a minute the dashboard rests. */
const REST_MS = 65_000;
const IDLE_MS = 40_000;
const TICK_MS = 10;
/** A busy machine takes its time. */
const PATIENCE_MS = 60_000;
const LIMIT_MS = 420_000;

/** What the kernel says of every process: its id, parent, ticks of CPU, and the tick it began. */
function processes() {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((id) => {
      try {
        const stat = readFileSync(`/proc/${id}/stat`, "utf8");
        const rest = stat.slice(stat.lastIndexOf(") ") + 2).split(" ");
        return [{ id, parent: rest[1], ticks: Number(rest[11]) + Number(rest[12]), began: Number(rest[19]) }];
      } catch {
        return [];
      }
    });
}

/** The window's process and all that it started. */
function family() {
  const all = processes();
  const mine = all.filter(({ id }) => {
    try {
      return (
        basename(readlinkSync(`/proc/${id}/exe`)) === "aicockpit-desktop" &&
        readFileSync(`/proc/${id}/environ`, "utf8").split("\0").includes(`AICOCKPIT_HOME=${home}`)
      );
    } catch {
      return false;
    }
  });
  for (const member of mine)
    mine.push(
      ...all.filter(({ parent, id }) => parent === member.id && !mine.some((known) => known.id === id)),
    );
  if (mine.length === 0) throw new Error("the window's process is not there");
  return mine;
}

const pssMiB = () =>
  family().reduce((sum, { id }) => {
    try {
      return sum + Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${id}/smaps_rollup`, "utf8"))[1]) / 1024;
    } catch {
      return sum;
    }
  }, 0);

const ticks = () => family().reduce((sum, process) => sum + process.ticks, 0);
const uptimeMs = () => Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]) * 1000;

/** Starts the window; milliseconds until its dashboard shows the workspaces. */
async function start(application) {
  const session = await application.start();
  await until(
    () => session.run("return document.querySelector('[aria-label^=\"bench-\"]') !== null"),
    "the dashboard's workspaces",
    PATIENCE_MS,
  );
  return { session, took: uptimeMs() - family()[0].began * TICK_MS };
}

async function percentOfCore(duration) {
  const [before, begin] = [ticks(), Date.now()];
  await pause(duration);
  return ((ticks() - before) * TICK_MS * 100) / (Date.now() - begin);
}

const application = new Application(home);
const result = { start: [] };
setTimeout(() => {
  console.error("the window did not do in time what it was asked to");
  application.stop().finally(() => process.exit(1));
}, LIMIT_MS).unref();
try {
  for (let round = 0; round < Number(runs); round++) {
    result.start.push((await start(application)).took);
    await application.stop();
  }
  const { session } = await start(application);
  await pause(SETTLE_MS);
  result.dashboard = pssMiB();
  result.live = await percentOfCore(LIVE_MS);
  await pause(REST_MS);
  result.idle = await percentOfCore(IDLE_MS);

  await session.run("location.hash = arguments[0]", `#/workspace/${workspace}`);
  await until(
    () => session.run("return document.querySelector('.xterm-rows') !== null"),
    "a terminal",
    PATIENCE_MS,
  );
  // In a terminal Ctrl+P is the shell's.
  await session.run("document.activeElement?.blur()");
  await session.press(Key.Control, "p");
  await session.find("//*[@role='dialog']//input", { within: PATIENCE_MS });
  await session.keys(file);
  await session.find(`//*[@role='dialog']//*[@role='option'][contains(., '${file}')]`, {
    within: PATIENCE_MS,
  });
  await session.press(Key.Enter);
  await session.find("//*[contains(@class, 'monaco-editor')]//*[contains(@class, 'view-line')]", {
    within: PATIENCE_MS,
  });
  await pause(SETTLE_MS);
  result.workspace = pssMiB();
} finally {
  await application.stop();
}
console.log(JSON.stringify(result));
