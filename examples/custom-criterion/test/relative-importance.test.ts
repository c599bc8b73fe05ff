import { float32, type Model, meet, prune } from "@espalier/core";
import { checkStrategy, drawEncoder, modelOf } from "@espalier/core/testing";
import { channel } from "@espalier/strategy-channel";
import { unstructured } from "@espalier/strategy-unstructured";
import { describe, expect, it } from "vitest";
import { relativeImportance } from "../src/index.ts";

const model = modelOf(drawEncoder({ input: 2, width: 4, heads: 2 }));

/** The encoder with a given embedding [4, 2]. */
function withEmbedding(values: readonly number[]): Model {
  return { ...model, tensors: new Map([...model.tensors, ["embedding.weight", float32([4, 2], values)]]) };
}

describe("relative importance", () => {
  it("is the share of the row and of the column", async () => {
    const one = withEmbedding([1, 3, -2, 2, 0, 0, 1, 0]);
    const scores = await relativeImportance.weights({ model: one }, ["embedding.weight"]);
    const expected = [1 / 4 + 1 / 4, 3 / 4 + 3 / 5, 1 / 2 + 2 / 4, 1 / 2 + 2 / 5, 0, 0, 1 + 1 / 4, 0];
    for (const [i, score] of scores.get("embedding.weight")!.entries())
      expect(score).toBeCloseTo(expected[i]!, 6);
  });

  it("does not change when all weights of a tensor are scaled", async () => {
    const values = [1, 3, -2, 2, 5, 0.5, 1, 4];
    const score = async (factor: number) =>
      (
        await relativeImportance.weights({ model: withEmbedding(values.map((w) => factor * w)) }, [
          "embedding.weight",
        ])
      ).get("embedding.weight")!;
    const [plain, scaled] = [await score(1), await score(1000)];
    for (const [i, value] of plain.entries()) expect(scaled[i]!).toBeCloseTo(value, 5);
  });

  it("works with strategies that mask and with those that remove", async () => {
    for (const strategy of [unstructured, channel])
      expect((await checkStrategy(strategy({ criterion: relativeImportance }), model)).applicable).toBe(true);
  });

  it("meets targets like any other", async () => {
    const plan = await meet({ sparsity: 0.5 }, unstructured({ criterion: relativeImportance }), { model });
    expect(plan.target).toMatchObject({ met: true });
    expect(prune(model, plan).masks.size).toBeGreaterThan(0);
  });
});
