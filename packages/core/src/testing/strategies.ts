import { account } from "../accounting/account.ts";
import type { Backend } from "../backend.ts";
import { digest, type Model } from "../model/model.ts";
import { loadGraph, storedGraph } from "../model/stored-graph.ts";
import { planFromJson, planToJson } from "../pruning/plan.ts";
import { prune } from "../pruning/prune.ts";
import type { Collect, Strategy } from "../pruning/strategy.ts";
import { reference } from "../reference/backend.ts";
import { randomInputs, runModel } from "./models.ts";

export interface StrategyCheckOptions {
  readonly amounts?: readonly number[];
  readonly collect?: Collect;
  /** Runs the pruned models; `reference` by default. */
  readonly backend?: Backend;
}

/** What was seen of a strategy on a model; every promise that all strategies make was checked. */
export interface StrategyReport {
  readonly amounts: readonly number[];
  /** 1 − nonzero ÷ dense parameters, by amount. */
  readonly sparsities: readonly number[];
  /** Whether any amount removed anything. */
  readonly applicable: boolean;
}

/**
 * Checks what every strategy promises, on one model: plans leave the model as it is, are the same each time, survive
 * JSON, promise the counts that pruning gives, give valid graphs that run, are refused by the model they made, and never
 * remove less for a larger amount. Throws an Error that says which promise is broken.
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
    loadGraph(JSON.parse(JSON.stringify(storedGraph(pruned.graph))));
    const outputs = await runModel(pruned, backend, randomInputs(pruned));
    for (const [name, { data }] of outputs)
      if (!data.every(Number.isFinite)) fail(`output "${name}" is not finite`);
    if (plan.steps.length > 0) {
      applicable = true;
      let refused = false;
      try {
        prune(pruned, plan);
      } catch {
        refused = true;
      }
      if (!refused) fail("the plan can be carried out twice");
    }
    sparsities.push(1 - parameters.nonzero / model.dense.parameters.total);
    if (sparsities.length > 1 && sparsities.at(-1)! < sparsities.at(-2)!)
      fail("a larger amount removes less");
  }
  return { amounts, sparsities, applicable };
}
