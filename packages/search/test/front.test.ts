import { randomStream } from "@espalier/core/graph";
import { describe, expect, it } from "vitest";
import { errorToAimAt, frontOrder } from "../src/front.ts";
import { type Finished, findingsOf, memoryStore, search } from "../src/index.ts";
import { rankingOf } from "../src/ranking.ts";
import { request } from "./small.ts";

const trial = (of: number, bytes: number, mse: number): Finished => ({
  ...{ kind: "trial", of, rung: 0, epochs: 1, seed: 0, seconds: 0 },
  recipe: { format: 2, steps: [{ do: "prune", strategy: { use: "unstructured" } }] },
  result: { validation: { mse, mae: mse }, bytes, flops: bytes, digest: "" },
});

describe("the order of a search that spreads over the front", () => {
  const goal = { minimize: "bytes", error: 1 } as const;
  const ranking = rankingOf(goal, 1, [], 0);
  const order = frontOrder(ranking, "bytes");

  it("puts models that none beats first, those that add most of the area in front, and those beyond the limit last", () => {
    const trials = [
      trial(0, 0.5, 0.5),
      // Next to the first, with little to add.
      trial(1, 0.48, 0.55),
      trial(2, 0.05, 0.8),
      // Beaten by the one before it.
      trial(3, 0.06, 0.9),
      trial(4, 0.01, 1.3),
      trial(5, 0.01, 1.1),
    ];
    expect(order(trials).map(({ of }) => of)).toEqual([2, 0, 1, 3, 5, 4]);
    expect(order(trials.toReversed()).map(({ of }) => of)).toEqual([2, 0, 1, 3, 5, 4]);
  });

  it("never puts a model behind one that it beats", () => {
    const random = randomStream(7, "front");
    for (let i = 0; i < 50; i++) {
      const trials = Array.from({ length: 12 }, (_, of) => trial(of, random(), 0.5 + 0.7 * random()));
      const place = new Map(order(trials).map((one, at) => [one.of, at]));
      expect(place.size).toBe(trials.length);
      for (const a of trials)
        for (const b of trials)
          if (a.result.validation.mse < b.result.validation.mse && a.result.bytes < b.result.bytes)
            expect(place.get(a.of)).toBeLessThan(place.get(b.of)!);
    }
  });

  it("aims between the least error and the limit; at the limit as long as none keeps it", () => {
    const random = randomStream(1, "aim");
    expect(errorToAimAt(1, [trial(0, 0.1, 1.2)], ranking, random)).toBe(1);
    const aims = Array.from({ length: 200 }, () => errorToAimAt(1, [trial(0, 0.1, 0.8)], ranking, random));
    expect(Math.min(...aims)).toBeGreaterThanOrEqual(0.8);
    expect(Math.min(...aims)).toBeLessThan(0.82);
    expect(Math.max(...aims)).toBeGreaterThan(0.98);
  });
});

describe("a search that spreads over the front", () => {
  it("chooses the smallest model within the error, and goes on after a stop as if nothing had happened", async () => {
    const settings = { ...request.settings, front: true };
    const store = memoryStore();
    const whole = await search({ ...request, settings, store });
    expect(whole.chosen!.mean.validation.mse).toBeLessThanOrEqual(whole.allowed!);
    const stopped = memoryStore(store.records.slice(0, Math.floor(store.records.length / 2)));
    const again = await search({ ...request, settings, store: stopped });
    const untimed = (records: typeof store.records) => records.map((record) => ({ ...record, seconds: 0 }));
    expect(untimed(stopped.records)).toEqual(untimed(store.records));
    expect(findingsOf(stopped.records).front).toHaveLength(again.front.length);
  });

  it("needs an error, and a size to minimize", async () => {
    const settings = { ...request.settings, front: true };
    const why =
      "front spreads over the sizes of models within an error: give error, such as +10%, and bytes or flops to minimize.";
    for (const goal of [
      { minimize: "error", bytes: 0.5 },
      { minimize: "latency", error: "+10%" },
    ] as const)
      await expect(search({ ...request, goal, settings })).rejects.toThrow(why);
  });
});
