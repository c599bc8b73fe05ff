import { account, type Model, meet, prunableDimensions, prune } from "@espalier/core";
import { checkStrategy, drawEncoder, modelOf } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { channel } from "../src/index.ts";

const model = modelOf(drawEncoder({ width: 16, heads: 2, feedForward: 32 }));
const sizes = (m: Model, kind: string) =>
  prunableDimensions(m.dimensions).flatMap((d) => (d.kind === kind ? [d.size] : []));

describe("channel pruning", () => {
  it.each(["local", "global", "isomorphic"] as const)(
    "keeps every promise of a strategy with scope %s",
    async (scope) => {
      expect((await checkStrategy(channel({ scope }), model)).applicable).toBe(true);
    },
  );

  it.each(["l1", "l2", "random", "wsap"])("keeps every promise with criterion %s", async (criterion) => {
    await checkStrategy(channel({ criterion }), model);
  });

  it("halves every width by itself with local scope, and leaves the heads", async () => {
    const small = prune(model, await channel({ scope: "local" }).plan({ model, amount: 0.5 }));
    expect(sizes(small, "embedding")).toEqual([8]);
    expect(sizes(small, "channel")).toEqual([16, 16]);
    expect(sizes(small, "query-key-channel")).toEqual([4, 4]);
    expect(sizes(small, "value-channel")).toEqual([4, 4]);
    expect(sizes(small, "head")).toEqual([2, 2]);
  });

  it("removes other channels from other heads", async () => {
    const plan = await channel({ dimensions: ["head-channel"], scope: "local" }).plan({ model, amount: 0.5 });
    const nested = plan.steps.flatMap((step) => (step.do === "remove" ? [step.indices as number[][]] : []));
    expect(nested).toHaveLength(4);
    for (const lists of nested) expect(lists.map((list) => list.length)).toEqual([4, 4]);
    expect(nested.some(([first, second]) => first!.join() !== second!.join())).toBe(true);
  });

  it("rounds widths up to a multiple", async () => {
    const plan = await channel({ scope: "local", dimensions: ["feed-forward"], multipleOf: 8 }).plan({
      model,
      amount: 0.6,
    });
    expect(sizes(prune(model, plan), "channel")).toEqual([16, 16]);
  });

  it("keeps dimensions by the names of their tensors", async () => {
    const small = prune(
      model,
      await channel({ keep: ["layers.0.*"], dimensions: ["feed-forward"] }).plan({ model, amount: 0.5 }),
    );
    expect(sizes(small, "channel")).toEqual([32, 16]);
  });

  it("removes the channels with the least L2 norm over all members", async () => {
    const small = prune(
      model,
      await channel({ scope: "local", dimensions: ["feed-forward"] }).plan({ model, amount: 0.5 }),
    );
    const up = model.tensors.get("layers.0.feedForward1.weight")!.data;
    const down = model.tensors.get("layers.0.feedForward2.weight")!.data;
    const norms = Array.from({ length: 32 }, (_, i) => {
      let sum = 0;
      for (let j = 0; j < 16; j++) sum += up[i * 16 + j]! ** 2 + down[j * 32 + i]! ** 2;
      return sum;
    });
    const kept = Array.from(norms.keys())
      .sort((a, b) => norms[b]! - norms[a]!)
      .slice(0, 16)
      .sort((a, b) => a - b);
    const dimension = prunableDimensions(small.dimensions).find(
      ({ name }) => name === "layers.0.feedForward1.weight[0]",
    )!;
    expect(dimension.original).toEqual(kept);
  });

  it("empties what may be emptied, if asked, and keeps one channel where the only path runs through", async () => {
    const plan = await channel({ keepAtLeast: 0 }).plan({ model, amount: 0.999 });
    const small = prune(model, plan);
    expect(sizes(small, "channel")).toEqual([]);
    expect(sizes(small, "embedding")).toEqual([1]);
    expect(small.graph.nodes.some(({ operator }) => operator.name === "Softmax")).toBe(false);
    const met = await meet({ sparsity: 0.999 }, channel({ keepAtLeast: 0 }), { model, tolerance: 0.001 });
    expect(met.target).toMatchObject({ met: false });
    expect(met.target!.why).toMatch(/with everything that "channel" may remove/);
    await checkStrategy(channel({ keepAtLeast: 0, scope: "global" }), model, { mayEmpty: true });
  });

  it("meets parameters, FLOPs and bytes", async () => {
    for (const target of [{ parameters: 0.4 }, { flops: 0.5 }, { bytes: 0.3 }, { sparsity: 0.6 }]) {
      const plan = await meet(target, channel(), { model, tolerance: 0.05 });
      expect(plan.target).toMatchObject({ met: true });
    }
    expect(
      account(prune(model, await meet({ flops: 0.5 }, channel(), { model }))).flops.effective,
    ).toBeLessThan(0.55 * model.dense.flops.effective);
  });
});
