import { meet, prunableDimensions, prune, type Strategy } from "@espalier/core";
import { checkStrategy, drawEncoder, modelOf } from "@espalier/core/testing";
import { channel } from "@espalier/strategy-channel";
import { head } from "@espalier/strategy-head";
import { unstructured } from "@espalier/strategy-unstructured";
import { describe, expect, it } from "vitest";
import { combined, plugin } from "../src/index.ts";

const model = modelOf(drawEncoder({ width: 16, heads: 4, feedForward: 32 }));

describe("combined pruning", () => {
  it("keeps every promise of a strategy", async () => {
    const report = await checkStrategy(combined([head(), channel(), unstructured()]), model);
    expect(report.applicable).toBe(true);
  });

  it("also where a stage drops whole attention branches", async () => {
    await checkStrategy(combined([head({ keepAtLeast: 0 }), unstructured(), channel()]), model);
  });

  it("plans every stage on the model its predecessor left", async () => {
    const plan = await combined([channel({ scope: "local" }), unstructured()]).plan({ model, amount: 0.75 });
    const small = prune(model, plan);
    expect(prunableDimensions(small.dimensions).find(({ kind }) => kind === "channel")!.size).toBe(16);
    expect(small.masks.get("layers.0.feedForward1.weight")!.shape).toEqual([16, 8]);
  });

  it("gives a stage with more weight more of the work", async () => {
    const amounts: number[] = [];
    const spy = (inner: Strategy): Strategy => ({
      ...inner,
      plan: (request) => {
        amounts.push(request.amount);
        return inner.plan(request);
      },
    });
    await combined([spy(head()), spy(unstructured())], { weights: [1, 3] }).plan({ model, amount: 0.9 });
    expect(amounts[0]).toBeCloseTo(1 - 0.1 ** 0.25, 10);
    expect(amounts[1]).toBeCloseTo(1 - 0.1 ** 0.75, 10);
  });

  it("meets a target no single stage would", async () => {
    const both = combined([head(), channel(), unstructured()]);
    expect((await meet({ sparsity: 0.9 }, both, { model })).target).toMatchObject({ met: true });
  });

  it("is made from data, and refuses what makes no sense", () => {
    const resolve = ({ use }: { use: string }) => (use === "head" ? head() : unstructured());
    expect(plugin.create({ stages: [{ use: "head" }, { use: "unstructured" }] }, resolve).name).toBe(
      "combined(head, unstructured)",
    );
    expect(() => combined([])).toThrow(/at least one/);
    expect(() => combined([head()], { weights: [1, 2] })).toThrow(/1 strategies and 2 weights/);
  });
});
