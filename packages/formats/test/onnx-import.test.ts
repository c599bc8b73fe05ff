import { float32, type Model, prunableDimensions, prune, reference, runModel } from "@espalier/core";
import {
  type Builder,
  differentiate,
  drawTrainingForward,
  mul,
  reduceMean,
  scale,
  sub,
} from "@espalier/core/graph";
import { checkStrategy, modelChecks, relativeError } from "@espalier/core/testing";
import { readOnnx, writeOnnx } from "@espalier/formats";
import { channel } from "@espalier/strategy-channel";
import { combined } from "@espalier/strategy-combined";
import { head } from "@espalier/strategy-head";
import { unstructured } from "@espalier/strategy-unstructured";
import { describe, expect, it } from "vitest";
import { cases, type ExportCase, files, inputsOf, load, samples } from "./onnx-cases.ts";
import { withOnnx } from "./onnx-runtime.ts";

/** What is to be found in each module: how many dimensions of each kind. */
const expected: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  encoder: { embedding: 1, head: 1, "query-key-channel": 1, "value-channel": 1, channel: 1 },
  layered: { embedding: 1, head: 2, "query-key-channel": 2, "value-channel": 2, channel: 2 },
  // The matrices of its two layers are equal, their biases are not: to this exporter they share them.
  "layered-ts": { embedding: 1, head: 1, "query-key-channel": 1, "value-channel": 1, channel: 1 },
  inverted: { embedding: 1, head: 1, "query-key-channel": 1, "value-channel": 1, channel: 1 },
  causal: { embedding: 1, head: 1, "query-key-channel": 1, "value-channel": 1, channel: 1 },
  patches: { embedding: 1, head: 1, "query-key-channel": 1, "value-channel": 1, channel: 1 },
  convolutional: { embedding: 1, channel: 1 },
  perceptron: { embedding: 1, channel: 1 },
};

/**
 * Parameters that are not in the files: BatchNorm goes into the convolution before it, a bias of zeros goes altogether, equal
 * matrices are one.
 */
const lost =
  /^(convolutional.*: norm\.|encoder-dynamo.*: attention\.out_proj\.bias$|layered-ts.*: encoder\.layers\.1\.(linear.|self_attn\.in_proj_)\.?weight$)/;

const kindsOf = (model: Model) => {
  const kinds: Record<string, number> = {};
  for (const { kind } of prunableDimensions(model.dimensions)) kinds[kind] = (kinds[kind] ?? 0) + 1;
  return kinds;
};

async function expectAgreement(model: Model, one: ExportCase, count: number): Promise<void> {
  const outputs = await runModel(model, reference, inputsOf(one, count));
  expect(relativeError(outputs.get("y")!, samples(one.output, count))).toBeLessThan(1e-5);
}

describe.each(files)("%s", (file, one) => {
  const [module, exporter] = file.split("-") as [string, string];

  it("gives PyTorch's outputs, with the batch as in the file and opened", async () => {
    const asIs = await load(file, false);
    const isOpen = typeof asIs.graph.values[asIs.graph.inputs[0]!.value]!.shape[0] !== "number";
    expect(isOpen).toBe(file.includes("open"));
    await expectAgreement(asIs, one, isOpen ? 3 : 1);
    await expectAgreement(await load(file), one, 3);
  });

  it("has PyTorch's parameters, under their names and in their layouts", async () => {
    const { graph } = await load(file);
    const found = graph.tensors.flatMap(({ name, role, value }) =>
      role === "trainable" ? [`${name} ${graph.values[value]!.shape}`] : [],
    );
    const known = Object.entries(one.parameters)
      .filter(([name]) => !lost.test(`${file}: ${name}`))
      .map(([name, shape]) => `${name} ${shape}`);
    expect(found.sort()).toEqual(known.sort());
  });

  it("shows heads, channels and embeddings, and every one can be pruned", async () => {
    const model = await load(file);
    expect(kindsOf(model)).toEqual(expected[`${module}-${exporter}`] ?? expected[module]);
    for (const { run } of modelChecks(model)) await run();
  });

  it("is written again, pruned, and comes back with the same dimensions", async () => {
    const model = await load(file);
    const strategy = combined([channel(), unstructured()]);
    const pruned = prune(model, await strategy.plan({ model, amount: 0.5 }));
    for (const whole of [model, pruned]) {
      const bytes = writeOnnx(whole);
      const inputs = inputsOf(one, 2);
      const outputs = await runModel(whole, reference, inputs);
      await withOnnx(bytes, "onnxruntime-node", async (run) => {
        expect(relativeError((await run(inputs)).get("y")!, outputs.get("y")!)).toBeLessThan(1e-5);
      });
      const back = readOnnx(bytes);
      expect(
        relativeError((await runModel(back, reference, inputs)).get("y")!, outputs.get("y")!),
      ).toBeLessThan(1e-6);
      const described = (m: Model) =>
        prunableDimensions(m.dimensions).map(({ name, size, kind }) => [name, size, kind]);
      expect(described(back)).toEqual(described(whole));
    }
  });
});

describe("strategies on imported models", () => {
  const newest = Object.entries(cases).map(([name, { files: all }]) => [name, all.at(-1)!] as const);
  it.each(newest)("keep their promises on %s", async (name, file) => {
    const model = await load(file);
    const strategies = [head(), channel(), unstructured(), combined([head(), channel(), unstructured()])];
    for (const strategy of strategies) {
      const { applicable } = await checkStrategy(strategy, model, { amounts: [0, 0.5, 0.9] });
      expect(applicable).toBe(strategy.name !== "head" || expected[name]!.head !== undefined);
    }
  });
});

describe("fine-tuning an imported model", () => {
  it.each(Object.entries(cases))("lowers the loss of %s", async (_name, one) => {
    const model = await load(one.files[0]!);
    const losses = await descend(model, one, 4);
    expect(losses.every(Number.isFinite)).toBe(true);
    expect(losses.at(-1)!).toBeLessThan(losses[0]!);
  });
});

/** Losses of some steps of gradient descent on the training graph, towards a forecast of zeros. */
async function descend(model: Model, one: ExportCase, steps: number): Promise<number[]> {
  const tensors = new Map(model.tensors);
  const {
    builder: b,
    outputs,
    parameters,
  } = drawTrainingForward(model.graph, (drawn: Builder) => ({
    seed: drawn.constant(1),
    step: drawn.constant(1),
  }));
  const y = outputs.get("y")!;
  const loss = reduceMean(
    b,
    mul(b, y, y),
    y.shape.map((_, axis) => axis),
  );
  const gradients = differentiate(b, loss, [...parameters.values()]);
  [...parameters].forEach(([name, parameter], i) => {
    const gradient = gradients[i];
    if (gradient !== undefined) b.update(name, sub(b, parameter, scale(b, gradient, 0.01)));
  });
  expect(gradients.filter((gradient) => gradient === undefined)).toEqual([]);
  b.output("loss", loss);
  const { graph, data } = b.build();
  for (const [name, tensor] of data) tensors.set(name, tensors.get(name) ?? tensor);
  for (const { name, value } of graph.tensors) {
    if (!tensors.has(name)) tensors.set(name, float32(graph.values[value]!.shape as number[], [1]));
  }
  const state = await reference.createState(tensors);
  const program = await reference.compile(graph, { state });
  const losses: number[] = [];
  for (let i = 0; i < steps; i++) losses.push((await program.run(inputsOf(one, 3))).get("loss")!.data[0]!);
  return losses;
}
