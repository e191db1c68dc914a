import { Observable } from "../model/observable";

export interface Answer<T> {
  label: string;
  value: T;
  kind?: "primary" | "danger";
}

export interface TextQuestion {
  title: string;
  label: string;
  initial: string;
  /** The word on the button. */
  action: string;
  /** Why a text cannot be taken; undefined where it can. */
  problem: (text: string) => string | undefined;
}

type Question =
  | {
      kind: "choice";
      title: string;
      text: string;
      answers: readonly Answer<unknown>[];
      resolve: (value: unknown) => void;
    }
  | { kind: "text"; question: TextQuestion; resolve: (value: unknown) => void };

/** Questions that must be answered before something would be lost. One at a time, in their order. */
export class Questions extends Observable {
  private waiting: Question[] = [];

  get current(): Question | undefined {
    return this.waiting[0];
  }

  /** Asks; resolves to undefined where the person turned away. */
  ask<T>(title: string, text: string, answers: readonly Answer<T>[]): Promise<T | undefined> {
    return new Promise((resolve) => {
      this.waiting.push({
        kind: "choice",
        title,
        text,
        answers,
        resolve: (value) => resolve(value as T | undefined),
      });
      this.changed();
    });
  }

  askText(question: TextQuestion): Promise<string | undefined> {
    return new Promise((resolve) => {
      this.waiting.push({ kind: "text", question, resolve: (value) => resolve(value as string | undefined) });
      this.changed();
    });
  }

  answer(value: unknown): void {
    this.waiting.shift()?.resolve(value);
    this.changed();
  }
}
