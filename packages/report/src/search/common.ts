import type { Findings, Finished, Value } from "@espalier/search";

/** A decision that the best recipes share. */
export interface Trait {
  readonly parameter: string;
  /** The value, or the range of a number. */
  readonly value: string;
  /** How many of the best have it, and of all. */
  readonly best: string;
  readonly all: string;
}

/** Shares from which on the best are said to have something in common that others lack. */
const most = 0.75;
const more = 0.2;
/** Candidates below which nothing can be said. */
const fewest = 12;

/**
 * Values that at least three quarters of the best recipes have, and clearly more of them than of all. `best` are trials
 * in any order; recipes that a parameter does not apply to count as having none.
 */
export function traitsOf({ candidates }: Pick<Findings, "candidates">, best: readonly Finished[]): Trait[] {
  const all = candidates.filter(({ error }) => error === undefined);
  if (all.length < fewest) return [];
  const points = new Map(candidates.map(({ candidate, point }) => [candidate, point]));
  const winners = best.map(({ of }) => points.get(of)!);
  const names = [...new Set(all.flatMap(({ point }) => Object.keys(point)))];
  return names.flatMap((name): Trait[] => {
    const values = winners.map((point) => point[name]);
    const kinds = new Set(all.map(({ point }) => typeof point[name]).filter((kind) => kind !== "undefined"));
    // Choices of numbers (how many modules stay) are few; settings on a scale are many.
    const distinct = new Set(all.map(({ point }) => point[name]));
    if (kinds.has("number") && kinds.size === 1 && distinct.size > 6) return [];
    const share = (value: Value | undefined, list: readonly (Value | undefined)[]) =>
      list.filter((other) => other === value).length / list.length;
    const whole = all.map(({ point }) => point[name]);
    const [common] = [...new Set(values)].toSorted((a, b) => share(b, values) - share(a, values));
    if (share(common, values) < most || share(common, values) < share(common, whole) + more) return [];
    const text = common === undefined ? "does not apply" : `${common}`;
    const of = (list: readonly (Value | undefined)[]) =>
      `${list.filter((other) => other === common).length} of ${list.length}`;
    return [{ parameter: name, value: text, best: of(values), all: of(whole) }];
  });
}
