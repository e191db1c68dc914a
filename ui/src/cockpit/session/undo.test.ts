import { expect, test } from "vitest";
import { FileUndo } from "./undo";

function recorded() {
  const undo = new FileUndo();
  const taken: string[] = [];
  const step = (label: string) => {
    const made = { label, run: () => Promise.resolve(void taken.push(label)) };
    undo.push(made);
    return made;
  };
  return { undo, taken, step };
}

test("the newest step is taken back first", async () => {
  const { undo, taken, step } = recorded();
  step("move");
  step("delete");
  await undo.undo();
  await undo.undo();
  await undo.undo();
  expect(taken).toEqual(["delete", "move"]);
});

test("a step that was taken back by its message is not taken back again", async () => {
  const { undo, taken, step } = recorded();
  const first = step("move");
  step("delete");
  await undo.undo(first);
  await undo.undo(first);
  expect(taken).toEqual(["move"]);
  expect(undo.next?.label).toBe("delete");
});

test("only the last fifty steps are kept", async () => {
  const { undo, taken, step } = recorded();
  for (let number = 0; number < 60; number += 1) step(String(number));
  while (undo.next) await undo.undo();
  expect(taken.at(-1)).toBe("10");
});
