import { account } from "../accounting/account.ts";
import type { Backend } from "../backend.ts";
import { EspalierError } from "../errors.ts";
import { float32, type TensorData } from "../graph/tensor.ts";
import { keptCount } from "../model/mask.ts";
import { digest, type Model } from "../model/model.ts";
import { randomInputs, runModel } from "../model/run.ts";
import { loadGraph, storedGraph } from "../model/stored-graph.ts";
import { operators } from "../operators/index.ts";
import { planFromJson, planToJson } from "../pruning/plan.ts";
import { prune } from "../pruning/prune.ts";
import type { Collect, Strategy } from "../pruning/strategy.ts";
import { reference } from "../reference/backend.ts";

/** Options of the check. */
export interface StrategyCheckOptions {
  readonly amounts?: readonly number[];
  readonly collect?: Collect;
  /** Runs the pruned models; `reference` by default. */
  readonly backend?: Backend;
  /** Writes a model to a file and reads it back, such as `(model) => decodeModel(encodeModel(model))`; it must not change. */
  readonly stored?: (model: Model) => Model;
  /** Whether the strategy was asked to empty layers; otherwise none may be emptied. */
  readonly mayEmpty?: boolean;
}

/** Observations about a strategy on a model; all guarantees of strategies were checked. */
export interface StrategyReport {
  readonly amounts: readonly number[];
  /** 1 − nonzero ÷ dense parameters, by amount. */
  readonly sparsities: readonly number[];
  /** Whether any amount removed anything. */
  readonly applicable: boolean;
}

/**
 * Checks the guarantees of every strategy on one model: plans do not change the model, are the same each time, survive
 * JSON, state the counts that pruning gives, give valid graphs that run, empty no layer, are refused by the pruned
 * model, and never remove less for a larger amount. Throws an Error that says which guarantee is broken.
 */
export async function checkStrategy(
  strategy: Strategy,
  model: Model,
  options: StrategyCheckOptions = {},
): Promise<StrategyReport> {
  const { amounts = [0, 0.25, 0.5, 0.75, 0.95], backend = reference } = options;
  const before = digest({ ...model });
  const sparsities: number[] = [];
  let applicable = false;
  for (const amount of amounts) {
    const fail = (what: string): never => {
      throw new Error(`strategy ${strategy.name}, model ${model.name}, amount ${amount}: ${what}`);
    };
    const request = { model, amount, ...(options.collect === undefined ? {} : { collect: options.collect }) };
    const plan = await strategy.plan(request);
    const text = planToJson(plan);
    if (text !== planToJson(await strategy.plan(request))) fail("the plan differs from one call to the next");
    if (digest({ ...model }) !== before) fail("planning changed the model");
    const pruned = prune(model, planFromJson(text));
    if (digest(pruned) !== digest(prune(model, plan))) fail("the plan gives another model after JSON");
    const { parameters, flops, bytes } = account(pruned);
    const counted = [parameters.total, parameters.nonzero, flops.effective, bytes.stored];
    const { expected } = plan;
    const promised = [expected.parameters, expected.nonzero, expected.flops, expected.bytes];
    if (counted.join() !== promised.join())
      fail(`the plan promises ${promised.join(", ")}, pruning gives ${counted.join(", ")}`);
    loadGraph(JSON.parse(JSON.stringify(storedGraph(pruned.graph))), operators);
    if (options.stored !== undefined && digest(options.stored(pruned)) !== digest(pruned))
      fail("the pruned model is another one after storing it");
    if (!options.mayEmpty) {
      const emptied = emptiedBy(model, pruned);
      if (emptied !== undefined) fail(`nothing is left of "${emptied}"`);
    }
    const outputs = await runModel(pruned, backend, randomInputs(pruned));
    for (const [name, { data }] of outputs)
      if (!data.every(Number.isFinite)) fail(`output "${name}" is not finite`);
    if (plan.steps.length > 0) {
      applicable = true;
      let refused = false;
      try {
        prune(pruned, plan);
      } catch (error) {
        refused = error instanceof EspalierError;
      }
      if (!refused) fail("the plan can be carried out twice");
    }
    sparsities.push(1 - parameters.nonzero / model.dense.parameters.total);
    if (sparsities.length > 1 && sparsities.at(-1)! < sparsities.at(-2)!)
      fail("a larger amount removes less");
  }
  return { amounts, sparsities, applicable };
}

/** The first tensor of a model that pruning emptied. */
function emptiedBy(model: Model, pruned: Model): string | undefined {
  const left = (of: Model, name: string) => {
    const mask = of.masks.get(name);
    return mask === undefined ? (of.tensors.get(name)?.data.length ?? 0) : keptCount(mask);
  };
  const trainable = model.graph.tensors.filter(({ role }) => role === "trainable");
  return trainable.find(({ name }) => left(model, name) > 0 && left(pruned, name) === 0)?.name;
}

/** Calibration on random inputs and targets, for trying criteria that use data; at most `batches` batches. */
export function randomCollect(batches = 2): Collect {
  return async ({ graph, tensors, outputs }) => {
    const state = await reference.createState(tensors);
    const program = await reference.compile(graph, { state });
    const sums = new Map<string, TensorData>();
    for (let batch = 0; batch < batches; batch++) {
      const results = await program.run(randomInputs({ graph }, 2, batch), { read: outputs });
      for (const [name, { shape, data }] of results) {
        const sum = sums.get(name)?.data;
        sums.set(
          name,
          float32(
            shape,
            Float32Array.from(data, (value, i) => value + (sum?.[i] ?? 0)),
          ),
        );
      }
    }
    return sums;
  };
}
