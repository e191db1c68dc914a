import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type ConnectionState } from "@/client";
import { type Event as HostEvent } from "@/protocol/generated";
import { REST_AFTER_MS } from "./attention";
import { followSamples, REST_EVERY_MS } from "./sampling";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

class TestPage extends EventTarget {
  visibilityState: DocumentVisibilityState = "visible";
}

/** A host that notes what it is asked for, and a page that can be hidden and touched. */
function setUp() {
  const asked: boolean[] = [];
  const events = new Set<(event: HostEvent) => void>();
  const states = new Set<(state: ConnectionState) => void>();
  const host = {
    state: { kind: "connected" } as ConnectionState,
    call: (_: string, params: { on: boolean }) => {
      asked.push(params.on);
      return Promise.resolve({});
    },
    onEvent: (listener: (event: HostEvent) => void) => {
      events.add(listener);
      return () => events.delete(listener);
    },
    onState: (listener: (state: ConnectionState) => void) => {
      states.add(listener);
      return () => states.delete(listener);
    },
  };
  const page = new TestPage();
  const stop = followSamples(host, page);
  return {
    asked,
    stop,
    touch: () => page.dispatchEvent(new Event("pointermove")),
    see: (visible: boolean) => {
      page.visibilityState = visible ? "visible" : "hidden";
      page.dispatchEvent(new Event("visibilitychange"));
    },
    measured: () => events.forEach((listener) => listener({ kind: "samples", samples: [] })),
    become: (state: ConnectionState) => {
      host.state = state;
      states.forEach((listener) => listener(state));
    },
  };
}

test("a page in use is told all the time, and one that is hidden nothing", () => {
  const { asked, touch, see } = setUp();
  expect(asked).toEqual([true]);
  for (let minute = 0; minute < 5; minute++) {
    vi.advanceTimersByTime(REST_AFTER_MS - 1);
    touch();
  }
  expect(asked).toEqual([true]);
  see(false);
  vi.advanceTimersByTime(10 * REST_AFTER_MS);
  expect(asked).toEqual([true, false]);
  see(true);
  expect(asked).toEqual([true, false, true]);
});

test("a page that nobody touches looks now and then, and at once when it is touched again", () => {
  const { asked, touch, measured } = setUp();
  vi.advanceTimersByTime(REST_AFTER_MS);
  expect(asked.splice(0)).toEqual([true, false]);
  for (let look = 0; look < 3; look++) {
    vi.advanceTimersByTime(REST_EVERY_MS);
    expect(asked.splice(0), "one look").toEqual([true]);
    measured();
    expect(asked.splice(0), "ends with its answer").toEqual([false]);
  }
  vi.advanceTimersByTime(REST_EVERY_MS);
  vi.advanceTimersByTime(REST_EVERY_MS / 2);
  expect(asked.splice(0), "where nothing runs it ends all the same").toEqual([true, false]);
  touch();
  expect(asked.splice(0)).toEqual([true]);
  measured();
  vi.advanceTimersByTime(REST_AFTER_MS - 1);
  expect(asked).toEqual([]);
});

test("a host that comes back is asked again, and nobody once it is over", () => {
  const { asked, become, stop, see } = setUp();
  become({ kind: "reconnecting" } as ConnectionState);
  see(false);
  see(true);
  expect(asked.splice(0)).toEqual([true]);
  become({ kind: "connected" });
  expect(asked.splice(0)).toEqual([true]);
  stop();
  see(false);
  vi.advanceTimersByTime(10 * REST_AFTER_MS);
  expect(asked).toEqual([]);
});
