import { account, meet, prunableDimensions, prune, randomInputs, reference, runModel } from "@espalier/core";
import { checkStrategy, drawEncoder, modelOf } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { plugin, slimming } from "../src/index.ts";

/** A small encoder in which the normalisations scale channel i by 1 + i, so that the first channels go first. */
function modelWithScales() {
  const model = modelOf(drawEncoder({ width: 8, heads: 2 }));
  const tensors = new Map(model.tensors);
  for (const [name, tensor] of tensors) {
    if (/norm\d\.weight$/.test(name))
      tensors.set(name, { ...tensor, data: tensor.data.map((_, i) => 1 + i) as Float32Array });
  }
  return { ...model, tensors };
}

describe("a strategy written outside Espalier", () => {
  it("removes the embedding channels with the smallest scales", async () => {
    const model = modelWithScales();
    const plan = await slimming().plan({ model, amount: 0.5 });
    expect(plan.steps).toMatchObject([
      { do: "remove", dimension: "embedding.weight[0]", extent: 8, indices: [0, 1, 2, 3] },
    ]);
    const small = prune(model, plan);
    expect(prunableDimensions(small.dimensions).find(({ kind }) => kind === "embedding")).toMatchObject({
      size: 4,
      original: [4, 5, 6, 7],
    });
    const outputs = await runModel(small, reference, randomInputs(small));
    expect(outputs.get("y")!.data.every(Number.isFinite)).toBe(true);
  });

  it("keeps every promise of a strategy", async () => {
    expect((await checkStrategy(slimming(), modelWithScales())).applicable).toBe(true);
  });

  it("meets targets like any other", async () => {
    const model = modelWithScales();
    const plan = await meet({ parameters: 0.6 }, slimming(), { model });
    const left = account(prune(model, plan)).parameters.total / model.dense.parameters.total;
    expect(plan.target!.achieved).toBeCloseTo(left, 10);
    expect(Math.abs(left - 0.6)).toBeLessThan(0.1);
  });

  it("keeps widths at a multiple, and refuses a wrong option", async () => {
    const model = modelWithScales();
    const small = prune(model, await slimming({ multipleOf: 4 }).plan({ model, amount: 0.3 }));
    expect(prunableDimensions(small.dimensions).find(({ kind }) => kind === "embedding")!.size).toBe(8);
    expect(() => plugin.create({ multipleOf: 0 }, () => slimming())).toThrow(
      /multipleOf must be a whole number/,
    );
  });
});
