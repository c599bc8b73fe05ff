import { describe, expect, it } from "vitest";
import { hypervolume, partialRankCorrelation, rankCorrelation, rungsOf } from "../src/index.ts";

describe("rank correlation", () => {
  it("is 1 for the same order, −1 for the reverse, and shares the ranks of equal values", () => {
    expect(rankCorrelation([1, 2, 5, 9], [0.1, 0.2, 0.25, 7])).toBeCloseTo(1);
    expect(rankCorrelation([1, 2, 3], [3, 2, 1])).toBeCloseTo(-1);
    expect(rankCorrelation([1, 1, 2, 3], [1, 2, 3, 4])).toBeCloseTo(0.9487, 4);
    expect(rankCorrelation([1, 2], [1, 2])).toBeNaN();
  });

  it("at equal third values only counts what the two have in common beyond it", () => {
    // Both follow the size, and disagree within it.
    const size = [1, 1, 1, 2, 2, 2, 3, 3, 3];
    const a = size.map((s, i) => 10 * s + (i % 3));
    const b = size.map((s, i) => 10 * s - (i % 3));
    expect(rankCorrelation(a, b)).toBeGreaterThan(0.7);
    expect(partialRankCorrelation(a, b, size)).toBeCloseTo(-1);
  });
});

describe("hypervolume", () => {
  it("is the area between a front and a corner", () => {
    expect(hypervolume([[1, 1]], [3, 4])).toBe(6);
    expect(
      hypervolume(
        [
          [1, 3],
          [2, 1],
          [2, 2],
          [5, 0],
        ],
        [3, 4],
      ),
    ).toBe(4);
    expect(hypervolume([], [1, 1])).toBe(0);
  });
});

describe("rungs", () => {
  it("end with the full length, each a fraction of the next", () => {
    expect(rungsOf({ epochs: 9, reduction: 3 })).toEqual([1, 3, 9]);
    expect(rungsOf({ epochs: 5, reduction: 3 })).toEqual([1, 2, 5]);
    expect(rungsOf({ epochs: 1, reduction: 3 })).toEqual([1]);
    expect(rungsOf({ epochs: 8, reduction: 2 })).toEqual([1, 2, 4, 8]);
  });
});
