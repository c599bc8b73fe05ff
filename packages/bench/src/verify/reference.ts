import { join } from "node:path";
import {
  account,
  type Backend,
  EspalierError,
  type Model,
  type TensorData,
  type Tensors,
} from "@espalier/core";
import { readBy } from "@espalier/core/documents";
import { Builder, differentiate, liveValues, meanSquaredError } from "@espalier/core/graph";
import { readBytes, readTensors } from "@espalier/formats/node";
import { fromOriginalConfig } from "@espalier/models";
import type { Registry } from "@espalier/recipe";
import { drawModel } from "@espalier/recipe";
import { z } from "zod";
import { type Check, compare, distance, exists, normOf } from "./check.ts";
import { verifyPruning } from "./pruning.ts";

const descriptionSchema = z.looseObject({
  model: z.string(),
  variant: z.string().optional(),
  config: z.record(z.string(), z.unknown()),
  batch: z.int().min(1),
  parameters: z.int(),
  flops: z.number(),
  deadNames: z.array(z.string()).optional(),
  frequencyModes: z.record(z.string(), z.array(z.int())).optional(),
});

/** Largest relative error of outputs: ‖a − b‖ ÷ ‖b‖. */
const outputTolerance = 1e-4;

/**
 * Compares a model with PyTorch's results in a folder with `model.json`, `weights.safetensors`, `io.safetensors` and
 * `gradients.safetensors`. Returns one check each for outputs, loss, gradients, parameters, dead parameters and FLOPs;
 * and those of `pruning.json`, if it exists.
 */
export async function verifyReference(
  folder: string,
  registry: Registry,
  backend: Backend,
): Promise<readonly Check[]> {
  const description = await readDescription(join(folder, "model.json"));
  const io = await readTensors(join(folder, "io.safetensors"));
  const weights = await readTensors(join(folder, "weights.safetensors"));
  const gradients = await readTensors(join(folder, "gradients.safetensors"));
  const { model: name, variant, frequencyModes } = description;
  const options = {
    ...fromOriginalConfig(name, { ...description.config, frequencyModes }),
    ...(variant === undefined ? {} : { variant }),
  };
  const model = drawModel(registry, { ...options, use: name }).load(weights);
  const run = await runWithGradients(model, backend, io);
  const dead = deadParameters(model);
  const deadNames = (description.deadNames ?? withoutGradient(gradients)).toSorted();
  const counts = account(model, description.batch);
  return [
    compare("outputs", run.output, required(io, "output", folder), outputTolerance),
    compare("loss", run.loss, { ...required(io, "loss", folder), shape: [] }, outputTolerance),
    ...compareGradients(run.gradients, gradients),
    equal("parameters", counts.parameters.total, description.parameters),
    equal("FLOPs", counts.flops.total, description.flops),
    equal(`dead parameters (${counts.parameters.dead})`, dead.join(" "), deadNames.join(" ")),
    ...((await exists(join(folder, "pruning.json"))) ? await verifyPruning(folder, model) : []),
  ];
}

async function readDescription(path: string): Promise<z.output<typeof descriptionSchema>> {
  const text = new TextDecoder().decode(await readBytes(path, "reference"));
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    throw new EspalierError(`reference ${path}: not JSON.`);
  }
  return readBy(descriptionSchema, raw, `reference ${path}`);
}

function required(tensors: Tensors, name: string, folder: string): TensorData {
  const tensor = tensors.get(name);
  if (tensor === undefined) throw new EspalierError(`reference ${folder}: no tensor "${name}".`);
  return tensor;
}

/** Output, loss and the gradient of every live parameter, of the evaluation graph. */
async function runWithGradients(model: Model, backend: Backend, io: Tensors) {
  const b = Builder.create(model.graph);
  const [first] = model.graph.outputs;
  const forecast = b.value(first!.value);
  const loss = meanSquaredError(b, forecast, b.input("y", forecast.shape));
  const parameters = model.graph.tensors.filter(({ role }) => role === "trainable");
  const gradients = differentiate(
    b,
    loss,
    parameters.map(({ value }) => b.value(value)),
  );
  b.output("loss", loss);
  parameters.forEach(({ name }, i) => {
    const gradient = gradients[i];
    if (gradient !== undefined) b.output(`gradient:${name}`, gradient);
  });
  const { graph, data } = b.build();
  const state = await backend.createState(new Map([...model.tensors, ...data]));
  const program = await backend.compile(graph, { state });
  const inputs = new Map(graph.inputs.map(({ name }) => [name, required(io, name, "io")]));
  const outputs = await program.run(inputs);
  program.dispose();
  state.dispose();
  return {
    output: outputs.get(first!.name)!,
    loss: outputs.get("loss")!,
    gradients: new Map(parameters.map(({ name }) => [name, outputs.get(`gradient:${name}`)])),
  };
}

/**
 * ‖a − b‖ ≤ 1e-3·‖b‖ + 1e-6·‖all gradients‖ for every parameter, because some gradients are zero up to rounding.
 * Returns the worst of them as one check, by the used share of its tolerance, and one for each that fails.
 */
function compareGradients(got: ReadonlyMap<string, TensorData | undefined>, expected: Tensors): Check[] {
  const all = Math.hypot(...[...expected.values()].map(normOf));
  const checks = [...expected].map(([name, tensor]): Check => {
    const own = got.get(name) ?? { ...tensor, data: new Float32Array(tensor.data.length) };
    const difference =
      own.shape.join() === tensor.shape.join() ? distance(own, tensor) : Number.POSITIVE_INFINITY;
    const allowed = 1e-3 * normOf(tensor) + 1e-6 * all;
    return {
      what: `gradient of ${name}`,
      error: difference / allowed,
      tolerance: 1,
      passed: difference <= allowed,
    };
  });
  const worst = checks.reduce((a, b) => (b.error > a.error ? b : a));
  const failed = checks.filter(({ passed }) => !passed);
  if (failed.length > 0) return failed;
  return [
    {
      ...worst,
      what: `gradients of ${checks.length} parameters (worst: ${worst.what.slice(12)}), in tolerances`,
    },
  ];
}

/** Parameters that nothing depends on: their gradient is exactly zero, while that of others is at least rounding noise. */
function withoutGradient(gradients: Tensors): string[] {
  return [...gradients].flatMap(([name, { data }]) => (data.every((value) => value === 0) ? [name] : []));
}

function deadParameters(model: Model): string[] {
  const live = liveValues(model.graph);
  return model.graph.tensors
    .flatMap(({ name, role, value }) => (role === "trainable" && !live[value] ? [name] : []))
    .sort();
}

function equal(what: string, got: number | string, expected: number | string): Check {
  const passed = got === expected;
  return {
    what,
    error: passed ? 0 : Number.POSITIVE_INFINITY,
    tolerance: 0,
    passed,
    ...(passed ? {} : { detail: `${got}, expected ${expected}` }),
  };
}
