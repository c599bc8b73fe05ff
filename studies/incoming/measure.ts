import { wasm } from "@espalier/backend-wasm";
import {
  EspalierError,
  float32,
  int32,
  type Model,
  prunableDimensions,
  prune,
  relativeError,
  runModel,
  type TensorData,
  type Tensors,
} from "@espalier/core";
import { isBatch } from "@espalier/core/graph";
import { modelChecks } from "@espalier/core/testing";
import { readOnnx, writeOnnx } from "@espalier/formats";
import { channel } from "@espalier/strategy-channel";
import { head } from "@espalier/strategy-head";
import { unstructured } from "@espalier/strategy-unstructured";
import * as ort from "onnxruntime-node";
import type { Outcome } from "./table.ts";

/** Numbers by name, as JSON holds them. */
export type Listed = Readonly<Record<string, { readonly shape: number[]; readonly data: number[] }>>;

/** Imports a file, and tries everything that can be done with it. */
export async function measure(
  bytes: Uint8Array,
  example: { readonly inputs: Listed; readonly outputs: Listed },
): Promise<Outcome> {
  const backend = wasm();
  let model: Model;
  let openBatch: true | string = true;
  try {
    try {
      model = readOnnx(bytes, { openBatch: true });
    } catch (error) {
      openBatch = reasonOf(error);
      model = readOnnx(bytes);
    }
  } catch (error) {
    return { in: false, why: reasonOf(error) };
  }
  const { graph } = model;
  if (!graph.inputs.some(({ value }) => graph.values[value]!.shape.some(isBatch)))
    openBatch = openBatch === true ? "no input has a batch" : openBatch;
  const inputs: Tensors = new Map(
    graph.inputs.map(({ name, value }) => {
      const { shape, data } = example.inputs[name]!;
      return [name, (graph.values[value]!.dtype === "int32" ? int32 : float32)(shape, data)];
    }),
  );
  const output = graph.outputs[0]!.name;
  const { shape, data } = example.outputs[output] ?? Object.values(example.outputs)[0]!;
  const expected = float32(shape, data);
  const run = async (one: Model) => (await runModel(one, backend, inputs)).get(output)!;
  const dimensions = prunableDimensions(model.dimensions);
  const indices = (heads: boolean) =>
    dimensions.reduce((sum, { kind, size }) => ((kind === "head") === heads ? sum + size : sum), 0);
  return {
    in: true,
    error: relativeError(await run(model), expected),
    openBatch,
    heads: indices(true),
    channels: indices(false),
    pruned: await tried(() => pruned(model, inputs, run)),
    roundTrip: await told(async () => relativeError(await inOnnxRuntime(model, inputs), expected)),
  };
}

/** Throws for pruning that gives anything but the masked model's output, or a file that ONNX Runtime computes otherwise. */
async function pruned(
  model: Model,
  inputs: Tensors,
  run: (model: Model) => Promise<TensorData>,
): Promise<void> {
  for (const check of modelChecks(model)) await check.run();
  for (const strategy of [channel(), head(), unstructured()]) {
    const plan = await strategy.plan({ model, amount: 0.5 } as Parameters<typeof strategy.plan>[0]);
    if (plan.steps.length === 0) continue;
    const small = prune(model, plan);
    const error = relativeError(await inOnnxRuntime(small, inputs), await run(small));
    if (!(error < 1e-4)) throw new EspalierError(`${strategy.name}: ONNX Runtime differs by ${error}`);
  }
}

async function inOnnxRuntime(model: Model, inputs: Tensors): Promise<TensorData> {
  const session = await ort.InferenceSession.create(writeOnnx(model), { logSeverityLevel: 4 });
  try {
    const feeds = [...inputs].map(([name, { dtype, data, shape }]) => [
      name,
      new ort.Tensor(dtype, data, shape),
    ]);
    const output = (await session.run(Object.fromEntries(feeds)))[model.graph.outputs[0]!.name]!;
    return float32(output.dims, output.data as Float32Array);
  } finally {
    await session.release();
  }
}

async function told<T>(work: () => Promise<T>): Promise<T | string> {
  try {
    return await work();
  } catch (error) {
    return reasonOf(error);
  }
}

function tried(work: () => Promise<void>): Promise<true | string> {
  return told(async () => {
    await work();
    return true as const;
  });
}

function reasonOf(error: unknown): string {
  return (error as Error).message
    .split("\n")[0]!
    .replace(/^ONNX file: /, "")
    .slice(0, 400);
}
