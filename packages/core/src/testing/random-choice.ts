import type { Builder, Value } from "../graph/builder.ts";

/** A source of random choices: a generator of numbers, or a library for property-based tests. */
export interface Chooser {
  /** An integer, both bounds included. */
  integer(least: number, most: number): number;
  /** One of the given values. */
  pick<T>(from: readonly T[]): T;
}

/** A chooser from a stream of numbers in [0, 1), such as `randomStream`'s. */
export function chooserOf(random: () => number): Chooser {
  const integer = (least: number, most: number) => least + Math.floor(random() * (most - least + 1));
  return { integer, pick: (from) => from[integer(0, from.length - 1)]! };
}

/** Choices for one option of a block: bounds of an integer, flags or names. */
export type Range = readonly [least: number, most: number] | readonly (boolean | string)[];

/** The chosen options of a block. */
export type ChosenOptions<C> = {
  readonly [N in keyof C]: C[N] extends readonly [number, number]
    ? number
    : C[N] extends readonly (infer Name extends boolean | string)[]
      ? Name
      : never;
};

/** Draws a block over x [batch, tokens, width]. */
export type DrawBlock<C> = (b: Builder, x: Value, options: ChosenOptions<C>) => Value;

/** Chooses the options of a block. */
export function chooseOptions<C extends Readonly<Record<string, Range>>>(
  choose: Chooser,
  ranges: C,
): ChosenOptions<C> {
  const one = (range: Range) =>
    typeof range[0] === "number"
      ? choose.integer(...(range as readonly [number, number]))
      : choose.pick(range as readonly (boolean | string)[]);
  return Object.fromEntries(
    Object.entries(ranges).map(([name, range]) => [name, one(range)]),
  ) as ChosenOptions<C>;
}
