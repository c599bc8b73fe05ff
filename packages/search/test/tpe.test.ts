import { randomStream } from "@espalier/core/graph";
import { describe, expect, it } from "vitest";
import type { Point, SearchSpace } from "../src/index.ts";
import { fillPoint } from "../src/space/space.ts";
import { goodPoint, likelyPoint, neighbour, randomPoint } from "../src/tpe.ts";

const space: SearchSpace = {
  parameters: [
    { name: "size", from: 0.001, to: 1, log: true },
    { name: "kind", options: ["a", "b", "c"] },
    { name: "depth", from: 0, to: 10, when: ({ kind }) => kind === "b" },
  ],
  recipe: () => ({ format: 2, steps: [{ do: "prune", strategy: { use: "unstructured" } }] }),
};

/** Best at size 0.01, kind b, depth 7. */
const loss = ({ size, kind, depth }: Point) =>
  Math.abs(Math.log10(size as number) + 2) + (kind === "b" ? Math.abs((depth as number) - 7) / 10 : 1);

describe("points of a space", () => {
  it("have the values of a choice or a range, and only those that apply", () => {
    const random = randomStream(1, "points");
    const points = Array.from({ length: 200 }, () => randomPoint(space, random));
    for (const { size, kind, depth } of points) {
      expect(size).toBeGreaterThanOrEqual(0.001);
      expect(size).toBeLessThanOrEqual(1);
      expect(depth === undefined).toBe(kind !== "b");
    }
    // Uniform on a logarithmic scale.
    const small = points.filter(({ size }) => (size as number) < 0.0316).length;
    expect(small).toBeGreaterThan(80);
    expect(small).toBeLessThan(120);
  });

  it("keep given values, and refuse those that a parameter does not have", () => {
    const random = randomStream(1, "points");
    expect(randomPoint(space, random, { size: 0.5, kind: "a" })).toEqual({ size: 0.5, kind: "a" });
    expect(() => fillPoint(space, { kind: "d" }, () => 0.1)).toThrow(
      'search space: "kind" cannot be "d"; it is one of "a", "b", "c".',
    );
    expect(() => fillPoint(space, { size: 2 }, () => "a")).toThrow(
      'search space: "size" cannot be 2; it goes from 0.001 to 1.',
    );
  });
});

describe("the Parzen estimator", () => {
  /** The least loss of 60 points. */
  function search(seed: number, guided: boolean): number {
    const random = randomStream(seed, "search");
    const seen: Point[] = [];
    for (let i = 0; i < 60; i++) {
      const ranked = seen.toSorted((a, b) => loss(a) - loss(b));
      seen.push(guided && i >= 10 ? likelyPoint(space, ranked, random) : randomPoint(space, random));
    }
    return Math.min(...seen.map(loss));
  }

  it("comes nearer to the best point than chance", () => {
    const seeds = Array.from({ length: 15 }, (_, i) => i);
    const mean = (guided: boolean) =>
      seeds.reduce((sum, seed) => sum + search(seed, guided), 0) / seeds.length;
    expect(mean(true)).toBeLessThan(0.5 * mean(false));
  });

  it("proposes the same from the same points and seed", () => {
    const ranked = Array.from({ length: 9 }, (_, i) => randomPoint(space, randomStream(i, "seen")));
    const propose = () => likelyPoint(space, ranked, randomStream(4, "next"), { kind: "b" });
    expect(propose()).toEqual(propose());
    expect(propose().kind).toBe("b");
  });
});

describe("a neighbour", () => {
  it("is one of the best quarter with a few of its values drawn anew by the estimator, at a given size", () => {
    const random = randomStream(2, "neighbours");
    const ranked = Array.from(
      { length: 8 },
      (_, i): Point => ({ size: 0.01 * (i + 1), kind: "b", depth: i }),
    );
    expect(goodPoint([], random)).toBeUndefined();
    const near = Array.from({ length: 100 }, () => goodPoint(ranked, random)!);
    expect(new Set(near)).toEqual(new Set(ranked.slice(0, 2)));
    const drawn = near.map((point) => ({
      point,
      other: neighbour(space, ranked, point, random, { size: 0.1 }),
    }));
    expect(drawn.every(({ other }) => other.size === 0.1)).toBe(true);
    const kept = drawn.filter(({ point, other }) => other.kind === "b" && other.depth === point.depth).length;
    expect(kept).toBeGreaterThan(60);
    expect(kept).toBeLessThan(95);
  });
});
