import {
  account,
  createModel,
  float32,
  type Model,
  prune,
  randomInputs,
  reference,
  runModel,
  zeros,
} from "@espalier/core";
import { add, Builder, batch } from "@espalier/core/graph";
import { drawEncoder, largestError, modelOf } from "@espalier/core/testing";
import { writeTflite } from "@espalier/formats";
import { withLiteRt } from "@espalier/runtimes/litert-node";
import { unstructured } from "@espalier/strategy-unstructured";
import { describe, expect, it } from "vitest";
import { caseModel, evaluationCases } from "./operator-forms.ts";
import { models, strategies } from "./subjects.ts";

/** Models with operators that XNNPACK lacks: they rank, and gather or roll at positions that depend on the input. */
const partly = new Set(["Informer", "Autoformer"]);

/** Checks that LiteRT gives the same outputs; returns whether its fast engine, XNNPACK, runs the whole file. */
async function expectSame(model: Model, size = 1): Promise<boolean> {
  const inputs = randomInputs(model, size);
  const expected = await runModel(model, reference, inputs);
  return withLiteRt(writeTflite(model, { batch: size }), async (run, { isFullyAccelerated }) => {
    const got = await run(inputs);
    expect([...got.keys()].sort()).toEqual([...expected.keys()].sort());
    for (const [name, tensor] of expected) {
      expect(got.get(name)!.shape).toEqual(tensor.shape);
      expect(largestError(got.get(name)!, tensor)).toBeLessThan(1e-5);
    }
    return isFullyAccelerated;
  });
}

describe.each(models)("%s in LiteRT", (name, model) => {
  it("gives the same forecast, for one window and for three, and runs fast", async () => {
    expect(await expectSame(model)).toBe(!partly.has(name));
    expect(await expectSame(model, 3)).toBe(!partly.has(name));
  });

  it.each(strategies)("gives it with %s pruned, and runs fast", async (_what, strategy, amount) => {
    const pruned = prune(model, await strategy.plan({ model, amount }));
    expect(await expectSame(pruned)).toBe(!partly.has(name));
  });
});

describe("a LiteRT file", () => {
  const model = models[0]![1];

  it("holds each weight once, as it is, and masked ones as zeros", async () => {
    const masked = prune(model, await unstructured().plan({ model, amount: 0.9 }));
    for (const one of [model, masked]) {
      const { dense } = account(one).bytes;
      const file = writeTflite(one);
      expect(file.length).toBeGreaterThan(dense);
      // Each tensor and each operator is described in about 200 bytes.
      expect(file.length).toBeLessThan(1.3 * dense + 200 * one.graph.nodes.length);
      const inside = (bytes: Uint8Array) => Buffer.from(file).includes(Buffer.from(bytes));
      for (const { data } of one.tensors.values())
        expect(inside(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))).toBe(true);
    }
    expect(writeTflite(model)).toEqual(writeTflite(model));
  });

  it("has outputs that are inputs, constants, or the same", async () => {
    const b = Builder.create();
    const x = b.input("x", [batch, 3]);
    const w = b.tensor("w", "buffer", { dtype: "float32", shape: [3] });
    const sum = add(b, x, w);
    for (const [name, value] of Object.entries({ sum, again: sum, input: x, constant: w }))
      b.output(name, value);
    const { graph, data } = b.build();
    const tensors = new Map([...data, ["w", float32([3], [1, 2, 3])]] as const);
    await expectSame(createModel({ name: "copies", graph, tensors }), 2);
  });

  it("knows every evaluation operator of the shared encoder", async () => {
    await expectSame(modelOf(drawEncoder({ activation: "relu", dropout: 0.1 })));
  });

  it("refuses what it cannot say in one line", () => {
    expect(() => writeTflite(model, { batch: 0 })).toThrow(
      "LiteRT export, batch: must be a whole number from 1",
    );
    const b = Builder.create();
    const w = b.tensor("w", "buffer", { dtype: "float32", shape: [3] });
    b.output("y", add(b, w, b.input("x", [batch, 3])));
    b.update("w", add(b, w, b.constant(1)));
    const { graph, data } = b.build();
    const counting = createModel({ name: "counter", graph, tensors: new Map([...data, ["w", zeros([3])]]) });
    expect(() => writeTflite(counting)).toThrow(/updates "w" after each run.*evaluation graph/);
    const recurrent = evaluationCases.find(({ operator }) => operator === "LSTM")!;
    expect(() => writeTflite(caseModel(recurrent, "LSTM"))).toThrow(
      /node .*: operator LSTM has no form in LiteRT/,
    );
  });
});
