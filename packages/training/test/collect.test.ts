import { type Collection, float32, movement, prunableTensors, reference } from "@espalier/core";
import { add, Builder, batch, reduceMean } from "@espalier/core/graph";
import { describe, expect, it } from "vitest";
import { collector, type Progress } from "../src/index.ts";
import { data, inverted } from "./small.ts";

/** Counts its batches in a tensor of its own; gives the count before each, and the mean of its inputs. */
function counting(): Omit<Collection, "batches"> {
  const b = Builder.create();
  const x = b.input("x_enc", [batch, 12, 3]);
  const count = b.tensor("count", "buffer", float32([], [0]));
  b.update("count", add(b, count, b.constant(1)));
  b.output("before", count);
  b.output("mean", reduceMean(b, x, [0, 1, 2]));
  const drawn = b.build();
  const tensors = new Map([...drawn.data, ["count", float32([], [0])] as const]);
  return { graph: drawn.graph, tensors, outputs: ["before", "mean"] };
}

describe("collecting over calibration batches", () => {
  const collect = (options: { batches?: number; seed?: number; onProgress?: (at: Progress) => void } = {}) =>
    collector({ backend: reference, windows: data.train, batchSize: 4, ...options });

  it("sums the outputs of 8 batches, of as many as the caller says, or of those that the graph takes", async () => {
    const counted = async (options: { batches?: number }, batches?: number) =>
      (await collect(options)({ ...counting(), ...(batches === undefined ? {} : { batches }) })).get(
        "before",
      )!.data[0];
    // 0 + 1 + … + 7: what one batch leaves, the next finds.
    expect(await counted({})).toBe(28);
    expect(await counted({ batches: 3 })).toBe(3);
    expect(await counted({ batches: 3 }, 5)).toBe(10);
  });

  it("draws the same batches each time, others from another seed, and begins afresh", async () => {
    const mean = async (seed: number) => (await collect({ seed })(counting())).get("mean")!.data[0];
    expect(await mean(1)).toBe(await mean(1));
    expect(await mean(1)).not.toBe(await mean(2));
  });

  it("tells how far it is", async () => {
    const seen: Progress[] = [];
    await collect({ batches: 2, onProgress: (progress) => seen.push(progress) })(counting());
    expect(seen.map(({ what, done, total }) => `${what} ${done} of ${total}`)).toEqual([
      "calibrate 1 of 2",
      "calibrate 2 of 2",
    ]);
  });

  it("lets a criterion fine-tune a copy: movement takes its steps, and leaves the model as it is", async () => {
    const seen: Progress[] = [];
    const watched = collect({ onProgress: (progress) => seen.push(progress) });
    const before = new Map([...inverted.tensors].map(([name, { data }]) => [name, [...data]]));
    const tensors = prunableTensors(inverted);
    const scores = await movement({ steps: 5 }).weights({ model: inverted, collect: watched }, tensors);
    expect(seen.at(-1)).toMatchObject({ done: 5, total: 5 });
    expect(Math.min(...[...scores.values()].map((all) => Math.min(...all)))).toBe(0);
    for (const [name, { data: now }] of inverted.tensors) expect([...now]).toEqual(before.get(name));
  });
});
