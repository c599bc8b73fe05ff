import { dirname } from "node:path";
import { type DenseMeter, latencyMeter, type Registry } from "@espalier/bench";
import {
  type Backend,
  prune as carryOut,
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
import {
  collector,
  evaluate,
  fit,
  forecastingDataFor,
  iterativeTargets,
  type Metrics,
  pruneAndTune,
  withData,
} from "@espalier/training";
import type { PruneOptions } from "../commands/prune.ts";
import type { Context } from "../context.ts";
import { fitSettings } from "../options/groups.ts";
import { percent, plural } from "../output/numbers.ts";
import { type Bar, openBar } from "../output/progress.ts";
import { type PrunedReport, prunedJson, prunedLines } from "../output/pruned.ts";
import { openBackend } from "../shared/backend.ts";
import { loadSourceFor } from "../shared/data.ts";
import { denseModel, keepDense } from "../shared/dense.ts";
import { type ShownFit, showEvaluation, showFit } from "../shared/fitting.ts";
import { registryWith } from "../shared/plugins.ts";
import { jobOf, type PruneJob } from "../shared/prune-job.ts";
import { checkPruneOptions, inStages } from "../shared/prune-options.ts";
import { loadRecipe, recipeText } from "../shared/recipe.ts";
import { showSearch } from "../shared/search.ts";
import { type ChosenStrategies, chosenStrategies, chosenTarget, targetText } from "../shared/strategies.ts";

/** `espalier prune`. `given` are those of the options that the user gave. */
export async function prune(
  file: string | undefined,
  options: PruneOptions,
  given: Partial<PruneOptions>,
  context: Context,
): Promise<void> {
  const registry = await registryWith(options.plugin, context);
  const { recipe } = options;
  const job: PruneJob =
    recipe === undefined ? options : jobOf(await loadRecipe(recipe, registry, context), given, options);
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

interface PruningParts {
  /** Absent where a recipe says which. */
  readonly file: string | undefined;
  readonly model: Model;
  /** Of its file. */
  readonly bytes: number;
  readonly registry: Registry;
  /** Absent where a plan says what to do. */
  readonly chosen: ChosenStrategies | undefined;
  readonly options: PruneJob;
  readonly context: Context;
  readonly bar: Bar;
}

/** What pruning and fine-tuning gave. */
interface Outcome {
  readonly pruned: Model;
  readonly model: Model;
  readonly tuningEpochs: number;
  /** What the model is, where a Ctrl-C ended fine-tuning. */
  readonly stopped?: string;
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
    const outcome = await this.#carryOut(plan);
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
    const pruned = before && (await this.#measure(outcome.pruned, "test pruned"));
    const tuned = fineTune === undefined ? pruned : await this.#measure(outcome.model, "test tuned");
    bar.stop();
    await this.#writeRecipe();
    this.#report({
      before: { model, bytes: this.#parts.bytes, test: before },
      after: { model: outcome.model, bytes: bytes.length, test: tuned },
      pruned: fineTune === undefined ? undefined : pruned,
      plan,
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
      collect: async (collection) => {
        const [{ train }, backend] = [await this.#dataOf(), await this.#open()];
        const onProgress = showEvaluation(this.#parts.bar, "calibrate");
        return collector({ backend, windows: train, onProgress, signal: context.signal })(collection);
      },
    });
    const written = planOut !== undefined && !dryRun;
    if (written) await writeFileAtomically(context.path(planOut), planToJson(plan), { force });
    const { target: reached } = plan;
    if (reached === undefined || reached.met || acceptNearest) return plan;
    const nearest = written
      ? `Nearest plan written to ${planOut}.`
      : "Give --accept-nearest to take the nearest plan.";
    throw new EspalierError(
      `target ${targetText(reached)} cannot be met by "${plan.strategy}": ${reached.why ?? "nothing comes near"}. ${nearest}`,
    );
  }

  /** What a search for a target is given: what measures, where latency is asked for, and how it shows. */
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

  async #carryOut(plan: PruningPlan): Promise<Outcome> {
    const { options, context, model } = this.#parts;
    const { fineTune } = options;
    if (fineTune === undefined) {
      const pruned = carryOut(model, plan);
      return { pruned, model: pruned, tuningEpochs: 0 };
    }
    context.endsInOrder(this.#parts.bar.line);
    if (inStages(options)) return this.#tuneInStages(fineTune);
    const pruned = carryOut(model, plan);
    const request = await this.#fitting(fineTune);
    const tuned = await fit({
      ...request,
      model: withData(pruned, await this.#dataOf()),
      ...this.#show("fine-tune", fineTune),
    });
    const tuningEpochs = tuned.epochs.length;
    const stopped =
      tuningEpochs === 0
        ? "the pruned model, not fine-tuned"
        : `the best of ${plural(tuningEpochs, "epoch")}`;
    return { pruned, model: tuned.model, tuningEpochs, ...(tuned.ended === "aborted" ? { stopped } : {}) };
  }

  async #tuneInStages(epochs: number): Promise<Outcome> {
    const { options, context, model, chosen, registry, bar } = this.#parts;
    const { steps, curve } = options;
    const { stages: each, whole } = chosen!;
    const specs = steps === undefined ? each : Array.from({ length: steps }, () => whole);
    const targets = iterativeTargets(chosenTarget(options), specs.length, curve);
    let shown: ShownFit | undefined;
    const { latency, onTry } = await this.#search(targets.at(-1)!);
    const result = await pruneAndTune({
      ...(await this.#fitting(epochs)),
      model: withData(model, await this.#dataOf()),
      stages: specs.map((spec, i) => ({ strategy: registry.strategy(spec), target: targets[i]! })),
      tune: "each",
      ...(latency && { latency }),
      ...(onTry && { onTry }),
      onPlan: ({ target, strategy }, stage) => {
        const reached = target === undefined ? "" : `, ${target.metric} ${percent(target.achieved)}`;
        bar.line(`stage ${stage + 1} of ${specs.length}: ${strategy}${reached}`);
        shown = this.#show("epoch", epochs);
      },
      onProgress: (progress) => shown?.onProgress(progress),
      onEpoch: (record) => shown?.onEpoch(record),
    });
    const last = result.stages.at(-1);
    // Stopped before anything was pruned: there is nothing to keep.
    if (last === undefined) throw context.signal.reason;
    const tuningEpochs = result.stages.reduce((sum, { tuned }) => sum + (tuned?.epochs.length ?? 0), 0);
    const aborted = result.stages.length < specs.length || last.tuned?.ended === "aborted";
    const stopped = `the model as it was in stage ${result.stages.length} of ${specs.length}`;
    return { pruned: last.pruned, model: result.model, tuningEpochs, ...(aborted ? { stopped } : {}) };
  }

  /** What every fit of a pruned model is given. */
  async #fitting(epochs: number) {
    const { options, context, model } = this.#parts;
    const { train, validation, name, checksum } = await this.#dataOf();
    return {
      backend: await this.#open(),
      train,
      validation,
      settings: { ...options.tuning, ...fitSettings(options, epochs) },
      data: { name, checksum },
      signal: context.signal,
      ...(options.distill === undefined ? {} : { teacher: { model, weight: options.distill } }),
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

  #show(title: string, epochs: number): ShownFit {
    return showFit(this.#parts.bar, this.#parts.context, { title, epochs });
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
