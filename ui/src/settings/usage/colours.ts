export interface NamedStack {
  name: string;
  /** All that have no stack of their own. */
  isRest: boolean;
  values: readonly number[];
}

const COLOURS = ["--chart-1", "--chart-2", "--chart-3", "--chart-4", "--chart-5", "--chart-6"] as const;

/** The token of a stack's colour. */
export function colourOf({ isRest }: NamedStack, index: number): `--${string}` {
  return isRest ? "--chart-rest" : (COLOURS[index] ?? "--chart-rest");
}
