import { meet, prunableDimensions, prune } from "@espalier/core";
import { Builder, batch, expand, matMul, reshape, softmax, swapAxes, transpose } from "@espalier/core/graph";
import { checkStrategy, drawEncoder, linear, modelOf } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { head } from "../src/index.ts";

const model = modelOf(drawEncoder({ width: 16, heads: 4 }));
const heads = (m: typeof model) =>
  prunableDimensions(m.dimensions).flatMap((d) => (d.kind === "head" ? [d.size] : []));

describe("head pruning", () => {
  it.each(["local", "global", "isomorphic"] as const)(
    "keeps every promise of a strategy with scope %s",
    async (scope) => {
      expect((await checkStrategy(head({ scope }), model)).applicable).toBe(true);
    },
  );

  it("removes the share of heads asked for and leaves every other dimension as it was", async () => {
    const small = prune(model, await head({ scope: "local" }).plan({ model, amount: 0.5 }));
    expect(heads(small)).toEqual([2, 2]);
    const others = (m: typeof model) =>
      prunableDimensions(m.dimensions).flatMap((d) => (d.kind === "head" ? [] : [`${d.name} ${d.size}`]));
    expect(others(small)).toEqual(others(model));
  });

  it("keeps one head of every attention by default, and drops whole branches when asked to", async () => {
    expect(heads(prune(model, await head().plan({ model, amount: 0.95 })))).toEqual([1, 1]);
    const none = prune(model, await head({ keepAtLeast: 0 }).plan({ model, amount: 0.99 }));
    expect(heads(none)).toEqual([]);
    expect(none.tensors.has("layers.0.attention.query.weight")).toBe(false);
    expect(none.tensors.has("layers.0.attention.out.bias")).toBe(true);
    expect(none.graph.nodes.some(({ operator }) => operator.name === "Softmax")).toBe(false);
  });

  it("says why where there is no head to remove", async () => {
    const without = modelOf(drawEncoder({ layers: 0 }));
    const plan = await head().plan({ model: without, amount: 0.5 });
    expect(plan.steps).toEqual([]);
    expect(plan.notes[0]).toContain("no attention head can be removed");
  });

  it("names the nearest plan and what is left where a target cannot be met", async () => {
    const plan = await meet({ flops: 0.1 }, head(), { model });
    expect(plan.target).toMatchObject({ metric: "flops", asked: 0.1, met: false });
    expect(plan.target!.why).toMatch(/with everything that "head" may remove, \d+\.\d % of the flops remain/);
  });
});

describe("heads of queries that share heads of keys and values", () => {
  const [groups, repeats, channels, tokens] = [3, 4, 2, 5];
  const b = Builder.create();
  const x = b.input("x", [batch, tokens, 6]);
  const split = (name: string, count: number) => {
    const wide = reshape(b, linear(b, name, x, 6, count * channels), [batch, tokens, count, channels]);
    return transpose(b, wide, [0, 2, 1, 3]);
  };
  const repeated = (name: string) => {
    const one = reshape(b, split(name, groups), [batch, groups, 1, tokens, channels]);
    const all = expand(b, one, [batch, groups, repeats, tokens, channels]);
    return reshape(b, all, [batch, groups * repeats, tokens, channels]);
  };
  const scores = matMul(b, split("q", groups * repeats), swapAxes(b, repeated("k"), 2, 3));
  const mixed = transpose(b, matMul(b, softmax(b, scores, 3), repeated("v")), [0, 2, 1, 3]);
  const width = groups * repeats * channels;
  b.output("y", linear(b, "out", reshape(b, mixed, [batch, tokens, width]), width, 3));
  const shared = modelOf(b.build());

  it("go with the head they share, and in equal numbers from each that stays", async () => {
    for (const scope of ["local", "global"] as const) {
      expect((await checkStrategy(head({ scope }), shared)).applicable).toBe(true);
    }
    const small = prune(shared, await head({ scope: "local" }).plan({ model: shared, amount: 0.5 }));
    const rows = (name: string) => small.tensors.get(name)!.shape[0]! / channels;
    expect([rows("k.weight"), rows("v.weight"), rows("q.weight")]).toEqual([1, 1, 2]);
    // Which query heads go differs from group to group.
    const [, group] = prunableDimensions(small.dimensions);
    expect(group).toMatchObject({ kind: "head", size: 2, originalSize: 4, original: [expect.any(Array)] });
  });
});
