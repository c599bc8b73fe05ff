import { join } from "node:path";
import {
  account,
  type Backend,
  digest,
  keptCount,
  type Model,
  meet,
  prunableTensors,
  prune,
  type Target,
} from "@espalier/core";
import type { ForecastingData } from "@espalier/datasets";
import { readBytes, readTensors } from "@espalier/formats/node";
import { fromOriginalConfig } from "@espalier/models";
import { drawModel, type Registry } from "@espalier/recipe";
import {
  collector,
  evaluate,
  type FitResult,
  fit,
  type OnProgress,
  pruneAndReconstruct,
} from "@espalier/training";
import { type Case, type ModelName, modelNames } from "./cases.ts";
import type { RecoveryResults, RecoveryRun } from "./results.ts";

/** What the study runs on. */
export interface Workbench {
  readonly registry: Registry;
  readonly backend: Backend;
  readonly data: ForecastingData;
  readonly checkpoints: ReadonlyMap<ModelName, Model>;
}

/** The checkpoints trained with Time-Series-Library: folders of `shared/reference/trained`. */
export async function readCheckpoints(folder: string, registry: Registry): Promise<Workbench["checkpoints"]> {
  const models = new Map<ModelName, Model>();
  for (const name of modelNames) {
    const at = join(folder, `${name}_ETTh1`);
    const text = new TextDecoder().decode(await readBytes(join(at, "result.json"), "reference"));
    const { config } = JSON.parse(text) as { config: Record<string, unknown> };
    const architecture = drawModel(registry, { ...fromOriginalConfig(name, config), use: name });
    models.set(name, architecture.load(await readTensors(join(at, "weights.safetensors"))));
  }
  return models;
}

/** The errors and sizes that all is measured against. */
export async function measureDense(bench: Workbench): Promise<RecoveryResults["dense"]> {
  const all: RecoveryResults["dense"] = [];
  for (const [model, dense] of bench.checkpoints) {
    const { parameters, flops } = account(dense);
    all.push({
      model,
      validation: await errorsOf(bench, dense, "validation"),
      test: await errorsOf(bench, dense, "test"),
      parameters: parameters.total,
      flops: flops.effective,
    });
  }
  return all;
}

async function errorsOf({ backend, data }: Workbench, model: Model, split: "validation" | "test") {
  const { mse, mae } = await evaluate({ model, backend, windows: data[split] });
  return { mse, mae };
}

/** What a case depends on, as text. */
export function settingsText({ model, removed, masked, tuning }: Case): string {
  return JSON.stringify({ model, removed, ...(masked === undefined ? {} : { masked }), tuning });
}

/** One case with one seed: removes and reconstructs, masks while it fine-tunes, and measures what is left. */
export async function runCase(
  bench: Workbench,
  one: Case,
  seed: number,
  onProgress?: OnProgress,
): Promise<RecoveryRun> {
  const start = performance.now();
  const dense = bench.checkpoints.get(one.model)!;
  const { model: smaller, untuned } = await remove(bench, one, dense, seed);
  const { model, epochs } = await tune(bench, one, { dense, smaller, seed, onProgress });
  const counts = account(model);
  const before = account(dense);
  return {
    case: one.id,
    seed,
    settings: settingsText(one),
    ...(untuned === undefined ? {} : { untuned }),
    validation: epochs.map(({ validation }) => validation.mse),
    best: epochs.findLast(({ best }) => best)!.epoch,
    test: await errorsOf(bench, model, "test"),
    left: {
      parameters: counts.parameters.total / before.parameters.total,
      nonzero: counts.parameters.nonzero / before.parameters.total,
      flops: counts.flops.effective / before.flops.effective,
      bytes: counts.bytes.stored / before.bytes.dense,
    },
    masked: maskedShare(model),
    seconds: (performance.now() - start) / 1000,
    digest: digest(model),
    date: new Date().toISOString(),
  };
}

async function remove(bench: Workbench, { removed }: Case, dense: Model, seed: number) {
  const { registry, backend, data } = bench;
  let model = dense;
  let pruned = dense;
  for (const { strategy, target } of removed) {
    const collect = collector({ backend, windows: data.train, batches: 16, seed });
    const plan = await meet(target, registry.strategy(strategy), { model, collect });
    pruned = prune(model, plan);
    const request = { model, plan, backend, windows: data.train, settings: { seed } };
    model = (await pruneAndReconstruct(request)).model;
  }
  if (removed.length === 0) return { model };
  const untuned = {
    pruned: await errorsOf(bench, pruned, "test"),
    reconstructed: await errorsOf(bench, model, "test"),
  };
  return { model, untuned };
}

async function tune(
  { registry, backend, data }: Workbench,
  { masked, tuning }: Case,
  run: {
    readonly dense: Model;
    readonly smaller: Model;
    readonly seed: number;
    readonly onProgress: OnProgress | undefined;
  },
): Promise<FitResult> {
  const { dense, smaller, seed, onProgress } = run;
  const { train, validation, name, checksum } = data;
  const target = masked === undefined ? undefined : targetOf(masked, smaller);
  const strategy = registry.strategy({ use: "unstructured" });
  const once = target !== undefined && tuning.until === 0;
  const model = once ? prune(smaller, await meet(target, strategy, { model: smaller })) : smaller;
  return fit({
    model,
    backend,
    train,
    validation,
    settings: { ...tuning.fit, seed },
    data: { name, checksum },
    ...(tuning.distill === 0 ? {} : { teacher: { model: dense, weight: tuning.distill } }),
    ...(target === undefined || once
      ? {}
      : { gradual: { strategy, target, until: tuning.until, every: tuning.every } }),
    ...(onProgress && { onProgress }),
  });
}

/** A share of the weights with two or more axes as a share of all parameters; a hair more, so that it is reached. */
function targetOf(masked: number | Target, model: Model): Target {
  if (typeof masked !== "number") return masked;
  const weights = prunableTensors(model).reduce((n, name) => n + model.tensors.get(name)!.data.length, 0);
  return { sparsity: (masked * weights) / model.dense.parameters.total + 3e-4 };
}

function maskedShare(model: Model): number {
  let all = 0;
  let kept = 0;
  for (const name of prunableTensors(model)) {
    const mask = model.masks.get(name);
    const size = model.tensors.get(name)!.data.length;
    all += size;
    kept += mask === undefined ? size : keptCount(mask);
  }
  return 1 - kept / all;
}
