import { describe, expect, it } from "vitest";
import type { CandidateRecord, Finished, Point, SearchSpace } from "../src/index.ts";
import { aimedSize, isTooLarge, pointAtLimit } from "../src/limit.ts";
import { rankingOf } from "../src/ranking.ts";

const recipe = { format: 2, steps: [{ do: "prune", strategy: { use: "unstructured" } }] } as const;
const space: SearchSpace = {
  parameters: [
    { name: "size", from: 0.01, to: 0.5, log: true },
    { name: "kind", options: ["a", "b"] },
  ],
  size: "size",
  recipe: () => recipe as never,
};

type Tried = readonly (readonly [kind: string, size: number, mse: number])[];

/** Records after models of given sizes and errors; the error may be 0.4. */
function knownAfter(tried: Tried) {
  const candidates = tried.map(([kind, size], candidate): CandidateRecord => {
    return { kind: "candidate", candidate, from: "", point: { size, kind }, others: [], seconds: 0 };
  });
  const trials = tried.map(([, bytes, mse], of): Finished => {
    const result = { validation: { mse, mae: mse }, bytes, flops: bytes, digest: "" };
    return { kind: "trial", of, rung: 0, epochs: 1, seed: 0, recipe: recipe as never, result, seconds: 0 };
  });
  const ranking = rankingOf({ minimize: "bytes", error: 0.4 }, 0.4, trials, 0);
  return { candidates, trials, ranking };
}

/** The next size. */
function next(tried: Tried, free = space) {
  const { candidates, trials, ranking } = knownAfter(tried);
  const ranked: Point[] = candidates.map(({ point }) => point);
  return pointAtLimit(free, ranked, candidates, trials, ranking, () => 0);
}

describe("the size at the limit of the error", () => {
  it("is smaller with error to spare and larger beyond the limit, at most by half or twice", () => {
    const { size, kind } = next([["a", 0.1, 0.399]])!;
    expect(kind).toBe("a");
    expect(size).toBeLessThan(0.1);
    expect(size).toBeGreaterThan(0.08);
    expect(next([["a", 0.1, 0.2]])!.size).toBe(0.05);
    expect(next([["a", 0.1, 0.401]])!.size).toBeGreaterThan(0.1);
    expect(next([["a", 0.1, 0.8]])!.size).toBe(0.2);
  });

  it("is between the nearest sizes that missed and kept it, nearer to the one with less to go", () => {
    const tried = [
      ["a", 0.2, 0.37],
      ["a", 0.1, 0.399],
      ["a", 0.05, 0.42],
      ["b", 0.07, 0.39],
    ] as const;
    const size = next(tried)!.size as number;
    expect(size).toBeGreaterThan(0.07);
    expect(size).toBeLessThan(0.1);
  });

  it("goes on to the next recipe once it is known, and ends with the last", () => {
    const known = [
      ["a", 0.1, 0.399],
      ["a", 0.098, 0.401],
    ] as const;
    expect(next([...known, ["b", 0.3, 0.39]])!.kind).toBe("b");
    expect(next(known)).toBeUndefined();
  });

  it("is what variants of a recipe aim at, even if it was tried", () => {
    const aim = (tried: Tried, kind = "a") => {
      const { candidates, trials, ranking } = knownAfter(tried);
      return aimedSize(space, { size: 0.1, kind }, candidates, trials, ranking);
    };
    expect(aim([["a", 0.1, 0.2]])).toBe(0.05);
    expect(
      aim([
        ["a", 0.1, 0.399],
        ["a", 0.098, 0.401],
      ]),
    ).toBeCloseTo(0.099, 3);
    expect(aim([["a", 0.1, 0.2]], "b")).toBeUndefined();
  });

  it("is not asked for if size is not free", () => {
    const { size: _size, ...fixed } = space;
    expect(next([["a", 0.1, 0.39]], fixed)).toBeUndefined();
  });
});

describe("a point that is too large", () => {
  it("has more than some times the size of a model that keeps the limit, after its longest fine-tuning", () => {
    const candidates: CandidateRecord[] = [
      { kind: "candidate", candidate: 0, from: "", point: { size: 0.1 }, others: [], seconds: 0 },
    ];
    const trial = (rung: number, mse: number): Finished => {
      const result = { validation: { mse, mae: mse }, bytes: 0.1, flops: 0.1, digest: "" };
      return { kind: "trial", of: 0, rung, epochs: 1, seed: 0, recipe: recipe as never, result, seconds: 0 };
    };
    const known = (trials: readonly Finished[]) => {
      const ranking = rankingOf({ minimize: "bytes", error: 0.4 }, 0.4, trials, 1);
      return { space, candidates, trials, ranking };
    };
    const short = known([trial(0, 0.39)]);
    expect(isTooLarge({ size: 0.21 }, short, 2)).toBe(true);
    expect(isTooLarge({ size: 0.19 }, short, 2)).toBe(false);
    expect(isTooLarge({ size: 0.21 }, known([trial(0, 0.39), trial(1, 0.41)]), 2)).toBe(false);
  });
});
