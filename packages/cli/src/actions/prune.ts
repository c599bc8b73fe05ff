import { dirname } from "node:path";
import { type DenseMeter, latencyMeter } from "@espalier/bench";
import {
  type Backend,
  EspalierError,
  type MeetRequest,
  type Model,
  meet,
  type PruningPlan,
  planFromJson,
  planToJson,
  type Target,
} from "@espalier/core";
import type { ForecastingData } from "@espalier/datasets";
import { encodeModel } from "@espalier/formats";
import { readBytes, writeFileAtomically } from "@espalier/formats/node";
import { targetText } from "@espalier/recipe";
import { collector, evaluate, forecastingDataFor, type Metrics } from "@espalier/training";
import type { PruneOptions } from "../commands/prune.ts";
import type { Context } from "../context.ts";
import { openBar } from "../output/progress.ts";
import { type PrunedReport, prunedJson, prunedLines } from "../output/pruned.ts";
import { openBackend } from "../shared/backend.ts";
import { loadSourceFor } from "../shared/data.ts";
import { denseModel, keepDense } from "../shared/dense.ts";
import { showEvaluation } from "../shared/fitting.ts";
import { registryWith } from "../shared/plugins.ts";
import { carryOutAndTune, type Workshop } from "../shared/prune-and-tune.ts";
import { jobOf } from "../shared/prune-job.ts";
import { checkPruneOptions } from "../shared/prune-options.ts";
import { loadRecipe, recipeText } from "../shared/recipe.ts";
import { showSearch } from "../shared/search.ts";
import { chosenStrategies, chosenTarget } from "../shared/strategies.ts";

/** `espalier prune`. `given` are those of the options that the user gave. */
export async function prune(
  file: string | undefined,
  options: PruneOptions,
  given: Partial<PruneOptions>,
  context: Context,
): Promise<void> {
  const registry = await registryWith(options.plugin, context);
  const recipe =
    options.recipe === undefined ? undefined : await loadRecipe(options.recipe, registry, context);
  const job = jobOf(recipe, given, options);
  await checkPruneOptions(job, context);
  const chosen = job.plan === undefined ? chosenStrategies(job, registry) : undefined;
  const bar = await openBar(context);
  try {
    const dense = await denseModel(file, job, registry, context, bar);
    const { model, bytes } = dense;
    const pruning = new Pruning({ file, model, bytes, registry, chosen, options: job, context, bar });
    await pruning.run().catch(async (error: unknown) => {
      // What was trained a moment ago would be lost.
      throw context.signal.aborted && error === context.signal.reason && dense.epochs
        ? await keepDense(dense, job, context)
        : error;
    });
  } finally {
    bar.stop();
  }
}

/** What is at hand from the start. */
interface PruningParts extends Omit<Workshop, "data" | "backend" | "search" | "collect"> {
  /** Absent where a recipe says which. */
  readonly file: string | undefined;
  /** Of the model's file. */
  readonly bytes: number;
}

class Pruning {
  readonly #parts: PruningParts;
  /** Both are loaded once, and only where something needs them. */
  #data: Promise<ForecastingData> | undefined;
  #backend: Promise<Backend> | undefined;
  #meter: DenseMeter | undefined;

  constructor(parts: PruningParts) {
    this.#parts = parts;
  }

  async run(): Promise<void> {
    try {
      await this.#run();
    } finally {
      this.#meter?.dispose();
    }
  }

  async #run(): Promise<void> {
    const { options, context, model, bar } = this.#parts;
    const { fineTune, out, force = false, dryRun, compact } = options;
    const plan = await this.#plan();
    const measured = options.evaluate || fineTune !== undefined;
    const before = measured ? await this.#measure(model, "test before") : undefined;
    const outcome = await carryOutAndTune(this.#workshop(), plan);
    const bytes = encodeModel(outcome.model, { compact });
    const kept = out !== undefined && !dryRun;
    if (kept) await writeFileAtomically(context.path(out), bytes, { force });
    if (outcome.stopped !== undefined) {
      throw new EspalierError(
        kept
          ? `stopped in fine-tuning; ${out} holds ${outcome.stopped}. To go on: espalier train --from ${out} --out FILE`
          : "stopped: nothing was written.",
      );
    }
    const between = measured && outcome.pruned;
    const pruned = between ? await this.#measure(between, "test pruned") : undefined;
    const tuned = fineTune === undefined ? pruned : await this.#measure(outcome.model, "test tuned");
    bar.stop();
    await this.#writeRecipe();
    this.#report({
      before: { model, bytes: this.#parts.bytes, test: before },
      after: { model: outcome.model, bytes: bytes.length, test: tuned },
      pruned: fineTune === undefined ? undefined : pruned,
      plan: outcome.target === undefined ? plan : { ...plan, target: outcome.target },
      tuningEpochs: outcome.tuningEpochs,
    });
  }

  /** The plan for the whole target: what is carried out, or with several stages the proof that it can be met. */
  async #plan(): Promise<PruningPlan> {
    const { options, context, model, chosen, registry } = this.#parts;
    const { planOut, dryRun, force = false, plan: file, acceptNearest } = options;
    if (chosen === undefined) {
      const text = new TextDecoder().decode(await readBytes(context.path(file!), "plan"));
      return planFromJson(text, `plan ${file}`);
    }
    const target = chosenTarget(options);
    const plan = await meet(target, registry.strategy(chosen.whole), {
      model,
      signal: context.signal,
      ...(await this.#search(target)),
      collect: this.#workshop().collect,
    });
    const written = planOut !== undefined && !dryRun;
    if (written) await writeFileAtomically(context.path(planOut), planToJson(plan), { force });
    const { target: reached } = plan;
    if (reached === undefined || reached.met || acceptNearest) return plan;
    const nearest = written
      ? `Nearest plan written to ${planOut}.`
      : "Give --accept-nearest to take the nearest plan.";
    // A plan may also take far more than was asked for: where a whole head is the least that can go.
    const { metric, asked, achieved } = reached;
    const overshot = metric === "sparsity" ? achieved > asked : achieved < asked;
    const verdict = overshot ? "can only be overshot" : "cannot be met";
    throw new EspalierError(
      `target ${targetText(reached)} ${verdict} by "${plan.strategy}": ${reached.why ?? "nothing comes near"}. ${nearest}`,
    );
  }

  async #search(target: Target): Promise<Pick<MeetRequest, "latency" | "onTry">> {
    const { options, registry, model, context, bar } = this.#parts;
    const { latencyBackend = "wasm", batch, latencyTime: time } = options;
    const onTry = showSearch(bar);
    if (target.latency === undefined) return { onTry };
    this.#meter ??= await latencyMeter(model, {
      backend: registry.backend(latencyBackend),
      signal: context.signal,
      ...(batch === undefined ? {} : { batch }),
      ...(time === undefined ? {} : { time }),
    });
    return { onTry, latency: this.#meter };
  }

  #workshop(): Workshop {
    const { context, bar } = this.#parts;
    return {
      ...this.#parts,
      data: () => this.#dataOf(),
      backend: () => this.#open(),
      search: (target) => this.#search(target),
      collect: async (collection) => {
        const [{ train }, backend] = [await this.#dataOf(), await this.#open()];
        const onProgress = showEvaluation(bar, "calibrate");
        return collector({ backend, windows: train, onProgress, signal: context.signal })(collection);
      },
    };
  }

  async #writeRecipe(): Promise<void> {
    const { options, context, registry, file } = this.#parts;
    const { recipeOut, dryRun, force = false } = options;
    if (recipeOut === undefined || dryRun) return;
    const path = context.path(recipeOut);
    const text = recipeText(options, { file, folder: dirname(path), registry, context });
    await writeFileAtomically(path, text, { force });
  }

  #open(): Promise<Backend> {
    this.#backend ??= openBackend(this.#parts.registry, this.#parts.options);
    return this.#backend;
  }

  #dataOf(): Promise<ForecastingData> {
    const { model, options, context, bar } = this.#parts;
    const { scale, splits } = options;
    this.#data ??= loadSourceFor(model, options, context, bar).then((source) =>
      forecastingDataFor(model, source, { scale, splits }),
    );
    return this.#data;
  }

  async #measure(model: Model, label: string): Promise<Metrics> {
    const { context, bar } = this.#parts;
    const [{ test, scaler }, backend] = [await this.#dataOf(), await this.#open()];
    const onProgress = showEvaluation(bar, label);
    return evaluate({ model, backend, windows: test, scaler, signal: context.signal, onProgress });
  }

  #report(report: PrunedReport): void {
    const { context, options } = this.#parts;
    const { print, colors } = context;
    const { json, out, planOut, recipeOut, dryRun } = options;
    const written = dryRun ? [] : [out, planOut, recipeOut].filter((path) => path !== undefined);
    if (json) {
      print([JSON.stringify({ ...prunedJson(report), written }, null, 2)]);
      return;
    }
    const files = written.length === 0 ? "nothing was written" : written.map(colors.green).join("  ");
    print([...prunedLines(report, colors), "", files]);
  }
}
