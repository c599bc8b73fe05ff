import { type AlternateOptions, alternate } from "@espalier/bench/measure";
import { account, float32, type Model, randomInputs, sparsity, type Tensors } from "@espalier/core";
import { drawTrainingStep } from "@espalier/training";
import { Field } from "./field.ts";
import type { Peer, Runnable } from "./peer.ts";
import type { PeerEntry, PeerRun, Task, VariantSize } from "./results.ts";
import type { Subject } from "./subjects.ts";
import type { Variant } from "./variants.ts";

export interface CompareOptions {
  readonly peers: readonly Peer[];
  /** Runs every variant once, so that all peers are compared with it. */
  readonly oracle: Peer;
  /** Also timed dense at batch 1 with nobody taking turns. */
  readonly alone?: Peer | undefined;
  readonly timing: AlternateOptions;
  readonly onProgress?: (text: string) => void;
  /** Called where a peer cannot run a variant, which is then left out; without it the comparison fails. */
  readonly onFailure?: (peer: string, variant: string, error: Error) => void;
}

/** A subject with its variants, made once for all batch sizes. */
export interface PreparedSubject {
  readonly name: string;
  readonly models: readonly { readonly variant: Variant; readonly model: Model }[];
}

export async function prepareSubject({ name, load, variants }: Subject): Promise<PreparedSubject> {
  const dense = await load();
  const models: { variant: Variant; model: Model }[] = [];
  for (const variant of variants) models.push({ variant, model: await variant.make(dense) });
  return { name, models };
}

export function sizesOf({ name, models }: PreparedSubject): VariantSize[] {
  return models.map(({ variant, model }) => {
    const { parameters, flops } = account(model);
    return {
      model: name,
      variant: variant.id,
      parameters: parameters.total,
      nonzero: parameters.nonzero,
      sparsity: sparsity(model),
      flops: flops.effective,
    };
  });
}

/** Times forecasts: every peer with every variant it has a use for, all taking turns. */
export async function compareForecasts(
  { name, models }: PreparedSubject,
  batch: number,
  options: CompareOptions,
): Promise<PeerRun> {
  const { oracle, alone, onProgress } = options;
  const where = `${name}, batch ${batch}`;
  const inputs = randomInputs(models[0]!.model, batch);
  const lone: PeerEntry[] = [];
  if (alone !== undefined && batch === 1) {
    onProgress?.(`${where}: ${alone.name} alone`);
    const { variant, model } = models[0]!;
    await withField(async (field) => {
      await field.enter(alone, variant.id, model, inputs, batch);
      for (const entry of await field.time(options.timing)) lone.push({ ...entry, alone: true });
    });
  }
  const runnables = models.map(({ variant, model }) => ({
    variant,
    runnable: model,
    expected: async () => {
      const loaded = await oracle.load(model, batch);
      try {
        return await loaded.run(inputs);
      } finally {
        await loaded.dispose();
      }
    },
  }));
  const run = await compareAll({ name, batch, task: "forecast", where }, runnables, inputs, options);
  return { ...run, entries: [...lone, ...run.entries] };
}

/** Times one thread against several, taking turns: forecasts and steps of training, dense and at 90 %. */
export async function compareThreads(
  prepared: PreparedSubject,
  batch: number,
  options: Omit<CompareOptions, "oracle" | "alone">,
): Promise<PeerRun[]> {
  const { name } = prepared;
  const models = prepared.models.filter(({ variant }) => isDenseOrNinety(variant));
  const runnables = models.map(({ variant, model }) => ({ variant, runnable: model }));
  const inputs = randomInputs(models[0]!.model, batch);
  const what = { name, batch, task: "threads forecast" as const, where: `${name}, threads, batch ${batch}` };
  const forecast = await compareAll(what, runnables, inputs, options);
  const training = await compareTraining(prepared, batch, options);
  return [forecast, { ...training, task: "threads training" }];
}

const isDenseOrNinety = ({ id }: Variant) => id === "dense" || id === "unstructured-90";

/** Times steps of training (forward, backward, Adam) on backends: dense and at 90 %. */
export async function compareTraining(
  { name, models }: PreparedSubject,
  batch: number,
  options: Omit<CompareOptions, "oracle" | "alone">,
): Promise<PeerRun> {
  const steps = models
    .filter(({ variant }) => isDenseOrNinety(variant))
    .map(({ variant, model }) => {
      const { graph, tensors } = drawTrainingStep(model, { seed: 1 });
      const runnable = { graph, tensors: new Map([...model.tensors, ...tensors]), trains: model };
      return { variant, runnable };
    });
  const { graph } = steps[0]!.runnable;
  const inputs = new Map(randomInputs({ ...models[0]!.model, graph }, batch));
  inputs.set("learningRate", float32([], [1e-4]));
  const where = `${name}, training, batch ${batch}`;
  return compareAll({ name, batch, task: "training", where }, steps, inputs, options);
}

/** Times making the dense model ready: its tensors copied and packed, its graph compiled. */
export async function compareCompiling(
  { name, models }: PreparedSubject,
  { peers, timing, onProgress }: Pick<CompareOptions, "peers" | "timing" | "onProgress">,
): Promise<PeerRun> {
  const { model, variant } = models[0]!;
  onProgress?.(`${name}: making ready`);
  const measurements = await alternate(
    peers.map((peer) => ({ name: peer.name, run: async () => (await peer.load(model, 1)).dispose() })),
    timing,
  );
  const entries = peers.map(({ name: peer }, i) => ({
    peer,
    variant: variant.id,
    alone: false,
    timing: measurements[i]!.timing,
    rounds: measurements[i]!.rounds as [number, ...number[]],
  }));
  return { model: name, batch: 1, task: "compile", entries, agreement: [] };
}

interface Entry {
  readonly variant: Variant;
  readonly runnable: Runnable;
  /** Outputs to compare with; those of the first peer by default. */
  readonly expected?: () => Promise<Tensors>;
}

async function compareAll(
  { name, batch, task, where }: { name: string; batch: number; task: Task; where: string },
  all: readonly Entry[],
  inputs: Tensors,
  {
    peers,
    timing,
    onProgress,
    onFailure,
  }: Pick<CompareOptions, "peers" | "timing" | "onProgress" | "onFailure">,
): Promise<PeerRun> {
  return withField(async (field) => {
    for (const { variant, runnable, expected } of all) {
      const able = peers.filter((peer) => peer.sparse || !variant.masked);
      if (able.length === 0) continue;
      onProgress?.(`${where}: loading ${variant.id}`);
      let outputs = await expected?.();
      for (const peer of able) {
        try {
          const got = await field.enter(peer, variant.id, runnable, inputs, batch, outputs);
          outputs ??= got;
        } catch (error) {
          if (onFailure === undefined) throw error;
          onFailure(peer.name, variant.id, error as Error);
        }
      }
    }
    const entries = await field.time({
      ...timing,
      onRound: (done, rounds) =>
        onProgress?.(`${where}: ${field.size} take turns, round ${done} of ${rounds}`),
    });
    return { model: name, batch, task, entries, agreement: field.agreement };
  });
}

async function withField<T>(use: (field: Field) => Promise<T>): Promise<T> {
  const field = new Field();
  try {
    return await use(field);
  } finally {
    await field.dispose();
  }
}
