import {
  isKept,
  type Model,
  prunableDimensions,
  prune,
  randomInputs,
  reference,
  runModel,
} from "@espalier/core";
import { removeDead } from "@espalier/core/pruning";
import { largestError } from "@espalier/core/testing";
import { type OnnxOptions, readOnnx, roundWeights, writeOnnx } from "@espalier/formats";
import { channel } from "@espalier/strategy-channel";
import { head } from "@espalier/strategy-head";
import { unstructured } from "@espalier/strategy-unstructured";
import { describe, expect, it } from "vitest";
import { models, strategies } from "./subjects.ts";

function describeDimensions({ dimensions }: Model) {
  return prunableDimensions(dimensions).map(({ number: _number, within, ...dimension }) => ({
    ...dimension,
    within: within === undefined ? undefined : dimensions.list[within]!.name,
  }));
}

/** Writes a model, reads it, and compares everything that has to come back. */
async function expectBack(model: Model, options: OnnxOptions = {}): Promise<void> {
  const back = readOnnx(writeOnnx(model, options));
  const whole = removeDead(options.weights === "float16" ? roundWeights(model, "float16") : model);
  expect(describeDimensions(back)).toEqual(describeDimensions(whole));
  expect([...back.masks]).toEqual([...whole.masks]);
  const { name, options: drawnWith, history, metadata, dense } = back;
  const { name: n, options: o, history: h, metadata: m, dense: d } = whole;
  expect({ name, drawnWith, history, metadata, dense }).toEqual({
    name: n,
    drawnWith: o,
    history: h,
    metadata: m,
    dense: d,
  });
  const roles = (one: Model) => Object.fromEntries(one.graph.tensors.map((t) => [t.name, t.role]));
  const told = roles(whole);
  for (const [tensor, role] of Object.entries(roles(back)))
    expect([tensor, told[tensor] ?? "constant"]).toEqual([tensor, role]);
  const inputs = randomInputs(whole, 2);
  const outputs = await runModel(back, reference, inputs);
  for (const [output, tensor] of await runModel(whole, reference, inputs))
    expect(largestError(outputs.get(output)!, tensor)).toBeLessThan(1e-5);
}

describe.each(models)("%s through ONNX and back", (_name, model) => {
  it("is what it was", async () => {
    await expectBack(model);
    await expectBack(model, { opset: 17 });
  });

  it.each(strategies)("is what it was with %s pruned", async (_what, strategy, amount) => {
    await expectBack(prune(model, await strategy.plan({ model, amount })));
  });
});

describe("a model through ONNX and back", () => {
  const [, model] = models[1]!;

  it("keeps what was masked, rounded to float16 too, and knows kept zeros from removed ones", async () => {
    const masked = prune(model, await unstructured().plan({ model, amount: 0.5 }));
    await expectBack(masked, { weights: "float16" });
    const [name, mask] = [...masked.masks][0]!;
    const { data, shape, dtype } = masked.tensors.get(name)!;
    const kept = data.findIndex((_, i) => isKept(mask, i));
    const zeroed = { dtype, shape, data: Float32Array.from(data).fill(0, kept, kept + 1) };
    await expectBack({ ...masked, tensors: new Map(masked.tensors).set(name, zeroed) });
  });

  it("goes on from where it was: it is pruned again as the original is", async () => {
    const once = prune(model, await head().plan({ model, amount: 0.5 }));
    const back = readOnnx(writeOnnx(once));
    const twice = await Promise.all(
      [once, back].map(async (one) => prune(one, await channel().plan({ model: one, amount: 0.5 }))),
    );
    expect(describeDimensions(twice[1]!)).toEqual(describeDimensions(twice[0]!));
    const inputs = randomInputs(model, 2);
    const [expected, got] = await Promise.all(twice.map((one) => runModel(one, reference, inputs)));
    for (const [output, tensor] of expected!)
      expect(largestError(got!.get(output)!, tensor)).toBeLessThan(1e-5);
  });
});
