import {
  type Collect,
  digest,
  type LayerError,
  type Model,
  meet,
  type PruningPlan,
  prune,
  type Target,
} from "@espalier/core";
import { encodePlan, readPlan } from "@espalier/core/pruning";
import {
  type FitResult,
  fit,
  gradualSchema,
  pruneAndReconstruct,
  readSettings,
  withData,
} from "@espalier/training";
import { check } from "../format/check.ts";
import type { ApplyStep, PruneStep, Step, TrainStep, TuneStep } from "../format/recipe.ts";
import { targetsOf } from "../format/step-target.ts";
import { checkResumable, type RunCheckpoint, runIdentity } from "./checkpoint.ts";
import { type RecipeEvent, type StepOutcome, summaryOf } from "./events.ts";
import { isKeptWhole, marked } from "./history.ts";
import { rehearse } from "./rehearse.ts";
import type { Outcome, RunRequest } from "./request.ts";
import { Tools } from "./tools.ts";
import { unmetTarget } from "./unmet.ts";

/**
 * Runs a recipe: its steps in order, each on the model that the previous one left. The same recipe on the same model,
 * data and backend gives the same bytes, even if the run was aborted or killed and resumed after any epoch. Targets
 * count relative to the model before any pruning, which is also the teacher of distillation. Throws an EspalierError,
 * if possible before the first step, for an invalid recipe and for a target that cannot be met.
 */
export async function run(request: RunRequest): Promise<Outcome> {
  const { recipe, model, workbench, resume, signal } = request;
  const { registry } = workbench;
  check(recipe, { registry, model });
  const identity = runIdentity(recipe, model);
  if (resume !== undefined) checkResumable(resume, identity);
  const tools = new Tools(request);
  const running = new RecipeRun(
    request,
    tools,
    resume ?? { run: identity, outcomes: [], dense: model, model },
  );
  try {
    if (resume === undefined) await rehearse(request, tools);
    return await running.toTheEnd();
  } catch (error) {
    if (signal?.aborted) return running.outcome("aborted");
    throw error;
  } finally {
    tools.dispose();
  }
}

/** A run in progress. */
class RecipeRun {
  readonly #request: RunRequest;
  readonly #tools: Tools;
  readonly #targets: readonly (Target | undefined)[];
  #at: RunCheckpoint;
  /** Start time of the current step. */
  #started = 0;

  constructor(request: RunRequest, tools: Tools, at: RunCheckpoint) {
    this.#request = request;
    this.#tools = tools;
    this.#targets = targetsOf(request.recipe);
    this.#at = at;
  }

  async toTheEnd(): Promise<Outcome> {
    const { recipe, signal } = this.#request;
    for (let i = this.#at.outcomes.length; i < recipe.steps.length; i++) {
      signal?.throwIfAborted();
      this.#started = performance.now();
      const step = recipe.steps[i]!;
      const epoch = this.#at.training?.epochs.length ?? 0;
      await this.#tell({ kind: "started", step: i, of: recipe.steps.length, does: step.do, epoch });
      await this.#run(step, i);
    }
    return this.outcome("finished");
  }

  outcome(ended: Outcome["ended"]): Outcome {
    const { dense, pruned, model, outcomes } = this.#at;
    return { dense, pruned, model, steps: outcomes, ended };
  }

  async #run(step: Step, i: number): Promise<void> {
    if (step.do === "train" || step.do === "tune") return this.#fit(step, i);
    if (step.do === "prune") return this.#prune(step, i);
    return this.#apply(step, i);
  }

  async #prune(step: PruneStep, i: number): Promise<void> {
    const { model } = this.#at;
    const target = this.#targets[i]!;
    const plan = this.#request.plans?.get(i)?.plan ?? (await this.#plan(step, i, target));
    const recorded = { ...step, target };
    // A plan that depends on a measurement cannot be repeated.
    const kept = target.latency === undefined || isKeptWhole(plan) ? {} : { plan: encodePlan(plan) };
    await this.#carryOut(model, plan, { step, i, recorded: { ...recorded, ...kept } as Step });
  }

  async #plan(step: PruneStep, i: number, target: Target): Promise<PruningPlan> {
    const { model, dense } = this.#at;
    const plan = await meet(target, this.#tools.strategy(step.strategy, this.#seed(i)), {
      model,
      collect: this.#collect(i),
      ...(target.latency !== undefined && { latency: await this.#tools.meter(dense) }),
      ...this.#signal(),
      onTry: (tried) => void this.#tell({ kind: "tried", step: i, tried }),
    });
    await this.#tell({ kind: "planned", step: i, plan });
    if (!plan.target!.met && !step.acceptNearest) throw unmetTarget(plan, i);
    return plan;
  }

  async #apply(step: ApplyStep, i: number): Promise<void> {
    const { model } = this.#at;
    const given = typeof step.plan === "string" ? await this.#tools.plan(step.plan) : readPlan(step.plan);
    await this.#tell({ kind: "planned", step: i, plan: given });
    await this.#carryOut(model, given, { step, i, recorded: { ...step, plan: encodePlan(given) } as Step });
  }

  async #carryOut(
    model: Model,
    plan: PruningPlan,
    {
      step,
      i,
      recorded,
    }: { readonly step: PruneStep | ApplyStep; readonly i: number; readonly recorded: Step },
  ): Promise<void> {
    let layers: readonly LayerError[] | undefined;
    let pruned: Model;
    if (step.reconstruct === undefined) pruned = prune(model, plan);
    else {
      const { train: windows, name, checksum } = await this.#tools.data(model);
      const reconstruction = await pruneAndReconstruct({
        model,
        plan,
        backend: await this.#tools.backend(),
        windows,
        settings: { ...step.reconstruct, seed: this.#seed(i) },
        data: { name, checksum },
        ...this.#signal(),
        onLayer: (layer, done, total) => void this.#tell({ kind: "layer", step: i, layer, done, total }),
      });
      ({ model: pruned, layers } = reconstruction);
    }
    const result = this.#marked(pruned, model, recorded, i);
    await this.#done({ step: i, does: step.do, plan: summaryOf(plan), ...(layers && { layers }) }, result, {
      pruned: result,
    });
  }

  async #fit(step: TrainStep | TuneStep, i: number): Promise<void> {
    const { dense } = this.#at;
    const data = await this.#tools.data(this.#at.model);
    const { train, validation, name, checksum } = data;
    const model = { ...this.#at.model, metadata: withData(this.#at.model, data).metadata };
    const { distill, masks } = step.do === "tune" ? step : {};
    const seed = this.#seed(i);
    let plan: PruningPlan | undefined;
    const result = await fit({
      model,
      backend: await this.#tools.backend(),
      train,
      validation,
      settings: { ...step.fit, seed },
      data: { name, checksum },
      ...this.#signal(),
      ...(distill !== undefined && { teacher: { model: dense, weight: distill } }),
      ...(masks !== undefined && {
        gradual: {
          curve: masks.curve,
          until: masks.until,
          every: masks.every,
          strategy: this.#tools.strategy(masks.strategy, seed),
          target: this.#targets[i]!,
          collect: this.#collect(i),
          onPlan: async (made: PruningPlan) => {
            plan = made;
            await this.#tell({ kind: "planned", step: i, plan: made });
            if (!made.target!.met && !masks.acceptNearest) throw unmetTarget(made, i);
          },
        },
      }),
      onProgress: (progress) => void this.#tell({ kind: "progress", step: i, what: "fit", progress }),
      onEpoch: (record) => this.#tell({ kind: "epoch", step: i, record }),
      onCheckpoint: async (training) => {
        this.#at = { ...this.#at, training };
        await this.#request.onCheckpoint?.(this.#at);
      },
      ...(this.#at.training && { resume: this.#at.training }),
    });
    // In full, so that a history means the same after a default has changed.
    const { seed: _seed, ...whole } = readSettings(step.fit);
    const { curve, until, every } = masks ?? {};
    const timing = gradualSchema.parse({ curve, until, every });
    const recorded = {
      ...step,
      fit: whole,
      ...(masks && { masks: { ...masks, ...timing, target: this.#targets[i]! } }),
    } as Step;
    const tuned = this.#marked(result.model, model, recorded, i);
    const outcome = {
      step: i,
      does: step.do,
      ...(plan && { plan: summaryOf(plan) }),
      fit: summaryOfFit(result),
    };
    await this.#done(outcome, tuned, step.do === "train" ? { dense: tuned } : {}, result.ended === "aborted");
  }

  /** Records a finished or stopped step; for a stopped one there is no checkpoint, that of its last epoch remains. */
  async #done(
    outcome: Omit<StepOutcome, "seconds">,
    model: Model,
    more: Partial<RunCheckpoint>,
    aborted = false,
  ): Promise<void> {
    const done: StepOutcome = { ...outcome, seconds: (performance.now() - this.#started) / 1000 };
    const outcomes = [...this.#at.outcomes, done];
    this.#at = { ...this.#at, ...more, model, outcomes, training: undefined };
    if (aborted) throw this.#request.signal!.reason;
    await this.#request.onCheckpoint?.(this.#at);
    await this.#tell({ kind: "done", step: outcome.step, outcome: done });
  }

  #marked(model: Model, before: Model, recorded: Step, i: number): Model {
    const { backend, data } = this.#request.plans?.get(i) ?? this.#tools.used;
    // Last, as in the steps of a replayed history, so that their entries are equal.
    const { seed: _seed, ...withoutSeed } = recorded;
    return marked(model, before.history.length, {
      run: digest(this.#request.model).slice(0, 16),
      ...(backend !== undefined && { backend }),
      ...(data !== undefined && { data }),
      step: { ...withoutSeed, seed: this.#seed(i) } as Step,
    });
  }

  #collect(i: number): Collect {
    return this.#tools.collect(
      this.#at.model,
      this.#seed(i),
      (progress) => void this.#tell({ kind: "progress", step: i, what: "calibrate", progress }),
    );
  }

  /** A step's own seed, or the recipe's; every tuning shuffles differently, so that short fits see different batches. */
  #seed(i: number): number {
    const { steps, seed = 0 } = this.#request.recipe;
    const step = steps[i]!;
    if (step.seed !== undefined) return step.seed;
    return step.do === "tune" ? seed + steps.slice(0, i).filter((s) => s.do === "tune").length : seed;
  }

  #signal() {
    const { signal } = this.#request;
    return signal === undefined ? {} : { signal };
  }

  async #tell(event: RecipeEvent): Promise<void> {
    await this.#request.onEvent?.(event);
  }
}

function summaryOfFit({ epochs, ended }: FitResult): NonNullable<StepOutcome["fit"]> {
  return { epochs, ended };
}
