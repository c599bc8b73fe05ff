import { describe, expect, it } from "vitest";
import type { Finished, Measured } from "../src/index.ts";
import { rankingOf } from "../src/ranking.ts";

const measured = (mse: number, bytes: number): Measured => ({
  validation: { mse, mae: mse },
  bytes,
  flops: bytes,
  digest: "",
});

const trial = (of: number, rung: number, mse: number, bytes = 0.1): Finished => ({
  ...{ kind: "trial", of, rung, epochs: 1, seed: 0, seconds: 0 },
  recipe: { format: 2, steps: [{ do: "prune", strategy: { use: "unstructured" } }] },
  result: measured(mse, bytes),
});

describe("the ranking of a goal", () => {
  const goal = { minimize: "bytes", error: 0.4 } as const;

  it("chooses the smallest model within the limit; beyond it, the nearest", () => {
    const ranking = rankingOf(goal, 0.4, [], 0);
    const models = [measured(0.5, 0.01), measured(0.39, 0.2), measured(0.3, 0.3), measured(0.41, 0.1)];
    expect(models.toSorted((a, b) => ranking.compare(a, b, 0)).map(({ bytes }) => bytes)).toEqual([
      0.2, 0.3, 0.1, 0.01,
    ]);
  });

  it("finds a larger model with error to spare more promising than one at the limit", () => {
    const ranking = rankingOf(goal, 0.4, [], 0);
    const [atLimit, spare, large] = [
      trial(0, 0, 0.399, 0.02),
      trial(1, 0, 0.385, 0.025),
      trial(2, 0, 0.39, 0.3),
    ];
    expect(ranking.order([large, atLimit, spare])).toEqual([spare, atLimit, large]);
    expect(ranking.compare(atLimit.result, spare.result, 0)).toBeLessThan(0);
  });

  it("raises the limit on short fine-tunings by what longer ones gained, the median", () => {
    const trials = [
      trial(0, 0, 0.5),
      trial(1, 0, 0.6),
      trial(2, 0, 0.44),
      trial(0, 1, 0.4),
      trial(1, 1, 0.5),
      trial(2, 1, 0.4),
    ];
    const ranking = rankingOf(goal, 0.4, trials, 1);
    // Gains: 1.25, 1.2 and 1.1.
    expect(ranking.excess(measured(0.479, 0.1), 0)).toBe(0);
    expect(ranking.excess(measured(0.481, 0.1), 0)).toBeGreaterThan(0);
    expect(ranking.excess(measured(0.401, 0.1), 1)).toBeGreaterThan(0);
  });
});
