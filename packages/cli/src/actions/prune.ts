import { stat } from "node:fs/promises";
import {
  type Backend,
  prune as carryOut,
  EspalierError,
  type Model,
  meet,
  type PruningPlan,
  planFromJson,
  planToJson,
} from "@espalier/core";
import type { ForecastingData } from "@espalier/datasets";
import { encodeModel } from "@espalier/formats";
import { checkReplaceable, loadModel, readBytes, writeFileAtomically } from "@espalier/formats/node";
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
import { plural } from "../output/numbers.ts";
import { type Bar, openBar } from "../output/progress.ts";
import { type PrunedReport, prunedJson, prunedLines } from "../output/pruned.ts";
import { openBackend } from "../shared/backend.ts";
import { loadSourceFor } from "../shared/data.ts";
import { showEvaluation, showFit } from "../shared/fitting.ts";
import { registryWith } from "../shared/plugins.ts";
import { type ChosenStrategies, chosenStrategies, chosenTarget, targetText } from "../shared/strategies.ts";

/** `espalier prune`. */
export async function prune(file: string, options: PruneOptions, context: Context): Promise<void> {
  const bar = await openBar(context);
  try {
    await new Pruning(file, options, context, bar).run();
  } finally {
    bar.stop();
  }
}

/** What pruning and fine-tuning gave. */
interface Outcome {
  readonly pruned: Model;
  readonly model: Model;
  /** Absent without fine-tuning. */
  readonly tuning?: { readonly epochs: number; readonly aborted: boolean };
}

class Pruning {
  readonly #file: string;
  readonly #options: PruneOptions;
  readonly #context: Context;
  readonly #bar: Bar;
  /** Loaded once, and only where something looks at data. */
  #data: Promise<ForecastingData> | undefined;
  #backend: Promise<Backend> | undefined;

  constructor(file: string, options: PruneOptions, context: Context, bar: Bar) {
    this.#file = context.path(file);
    this.#options = options;
    this.#context = context;
    this.#bar = bar;
  }

  async run(): Promise<void> {
    const options = this.#options;
    await this.#checkOptions();
    const registry = await registryWith(options.plugin, this.#context);
    const model = await loadModel(this.#file);
    this.#backend = undefined;
    const open = () => (this.#backend ??= openBackend(registry, options.backend));
    const chosen = options.plan === undefined ? chosenStrategies(options, registry) : undefined;
    const plan = await this.#plan(model, chosen, open, (spec) => registry.strategy(spec));
    const measured = options.evaluate || options.fineTune !== undefined;
    const before = measured ? await this.#measure(model, model, open, "test before") : undefined;
    if (options.fineTune !== undefined) this.#context.endsInOrder();
    const outcome = await this.#carryOut(model, plan, chosen, open, (spec) => registry.strategy(spec));
    const bytes = encodeModel(outcome.model, { compact: options.compact });
    const { out, force = false, dryRun } = options;
    if (out !== undefined && !dryRun) await writeFileAtomically(this.#context.path(out), bytes, { force });
    if (outcome.tuning?.aborted) throw this.#stopped(outcome.tuning.epochs);
    const pruned = before && (await this.#measure(outcome.pruned, model, open, "test pruned"));
    const tuned =
      outcome.tuning === undefined ? pruned : await this.#measure(outcome.model, model, open, "test tuned");
    this.#bar.stop();
    await this.#report({
      before: { model, bytes: (await stat(this.#file)).size, test: before },
      after: { model: outcome.model, bytes: bytes.length, test: tuned },
      pruned: outcome.tuning === undefined ? undefined : pruned,
      plan,
      tuningEpochs: outcome.tuning?.epochs ?? 0,
    });
  }

  /** Before anything long begins: options that contradict each other, and files that may not be replaced. */
  async #checkOptions(): Promise<void> {
    const { plan, strategy, out, planOut, dryRun, force = false, fineTune, steps, tune } = this.#options;
    const { curve, distill } = this.#options;
    if (out === undefined && planOut === undefined && !dryRun) {
      throw new EspalierError(
        "give --out FILE for the pruned model, --plan-out FILE for the plan, or --dry-run.",
      );
    }
    if (plan !== undefined && strategy !== undefined) {
      throw new EspalierError("--plan says what to prune: leave --strategy out, or the plan.");
    }
    if (fineTune !== undefined && out === undefined && !dryRun) {
      throw new EspalierError("--fine-tune needs --out FILE for the tuned model.");
    }
    const several = steps !== undefined || tune === "each";
    if (several && fineTune === undefined) {
      throw new EspalierError(`${steps === undefined ? "--tune each" : "--steps"} needs --fine-tune EPOCHS.`);
    }
    if (several && (planOut !== undefined || plan !== undefined)) {
      throw new EspalierError(
        "a plan is of one stage: leave out --plan and --plan-out, or --steps and --tune each.",
      );
    }
    if (distill !== undefined && fineTune === undefined) {
      throw new EspalierError("--distill needs --fine-tune EPOCHS.");
    }
    if (curve !== undefined && steps === undefined) throw new EspalierError("--curve needs --steps N.");
    if (steps !== undefined && tune === "each") throw new EspalierError("give --steps, or --tune each.");
    if (plan === undefined) chosenTarget(this.#options);
    if (dryRun) return;
    for (const path of [out, planOut])
      if (path !== undefined) await checkReplaceable(this.#context.path(path), force);
  }

  /** The plan for the whole target: what is carried out, or with several stages the proof that the target can be met. */
  async #plan(
    model: Model,
    chosen: ChosenStrategies | undefined,
    open: () => Promise<Backend>,
    make: MakeStrategy,
  ): Promise<PruningPlan> {
    const { planOut, dryRun, force = false, plan: file } = this.#options;
    if (chosen === undefined) {
      const text = new TextDecoder().decode(await readBytes(this.#context.path(file!), "plan"));
      return planFromJson(text, `plan ${file}`);
    }
    const plan = await meet(chosenTarget(this.#options), make(chosen.whole), {
      model,
      collect: async (collection) => {
        const { train } = await this.#dataFor(model);
        const onProgress = showEvaluation(this.#bar, "calibrate");
        return collector({ backend: await open(), windows: train, onProgress, signal: this.#context.signal })(
          collection,
        );
      },
      signal: this.#context.signal,
    });
    const written = planOut !== undefined && !dryRun;
    if (written) await writeFileAtomically(this.#context.path(planOut), planToJson(plan), { force });
    const { target } = plan;
    if (target !== undefined && !target.met && !this.#options.acceptNearest) {
      const nearest = written
        ? `Nearest plan written to ${planOut}.`
        : "Give --accept-nearest to take the nearest plan.";
      throw new EspalierError(
        `target ${targetText(target.metric, target.asked)} cannot be met by "${plan.strategy}": ${target.why ?? "nothing comes near"}. ${nearest}`,
      );
    }
    return plan;
  }

  async #carryOut(
    model: Model,
    plan: PruningPlan,
    chosen: ChosenStrategies | undefined,
    open: () => Promise<Backend>,
    make: MakeStrategy,
  ): Promise<Outcome> {
    const { fineTune, steps, tune, curve, distill } = this.#options;
    const pruned = carryOut(model, plan);
    if (fineTune === undefined) return { pruned, model: pruned };
    const data = await this.#dataFor(model);
    const shared = {
      backend: await open(),
      train: data.train,
      validation: data.validation,
      settings: fitSettings(this.#options, fineTune),
      data: { name: data.name, checksum: data.checksum },
      signal: this.#context.signal,
      ...(distill === undefined ? {} : { teacher: { model, weight: distill } }),
    };
    if (chosen === undefined || (steps === undefined && tune !== "each")) {
      const tuned = await fit({
        ...shared,
        model: withData(pruned, data),
        ...this.#show("fine-tune", fineTune),
      });
      return {
        pruned,
        model: tuned.model,
        tuning: { epochs: tuned.epochs.length, aborted: tuned.ended === "aborted" },
      };
    }
    const strategies =
      steps === undefined ? chosen.stages : Array.from({ length: steps }, () => chosen.whole);
    const targets = iterativeTargets(chosenTarget(this.#options), strategies.length, curve);
    const stages = strategies.map((spec, i) => ({ strategy: make(spec), target: targets[i]! }));
    let shown = this.#show("tune", fineTune);
    const result = await pruneAndTune({
      ...shared,
      model: withData(model, data),
      stages,
      tune: "each",
      onPlan: ({ target, strategy }, stage) => {
        const reached =
          target === undefined ? "" : `, ${targetText(target.metric, target.achieved).replace(/ [≥≤]/, "")}`;
        this.#bar.line(`stage ${stage + 1} of ${stages.length}: ${strategy}${reached}`);
        shown = this.#show(`stage ${stage + 1} epoch`, fineTune);
      },
      onProgress: (progress) => shown.onProgress(progress),
      onEpoch: (record) => shown.onEpoch(record),
    });
    const epochs = result.stages.reduce((sum, { tuned }) => sum + (tuned?.epochs.length ?? 0), 0);
    const last = result.stages.at(-1);
    const aborted = result.stages.length < stages.length || last?.tuned?.ended === "aborted";
    return { pruned: last?.pruned ?? model, model: result.model, tuning: { epochs, aborted } };
  }

  #show(title: string, epochs: number) {
    return showFit(this.#bar, this.#context, { title, epochs });
  }

  #dataFor(model: Model): Promise<ForecastingData> {
    const { scale, splits } = this.#options;
    this.#data ??= loadSourceFor(model, this.#options, this.#context, this.#bar).then((source) =>
      forecastingDataFor(model, source, { scale, splits }),
    );
    return this.#data;
  }

  async #measure(model: Model, known: Model, open: () => Promise<Backend>, label: string): Promise<Metrics> {
    const { test, scaler } = await this.#dataFor(known);
    return evaluate({
      model,
      backend: await open(),
      windows: test,
      scaler,
      signal: this.#context.signal,
      onProgress: showEvaluation(this.#bar, label),
    });
  }

  #stopped(epochs: number): Error {
    this.#bar.stop();
    const { out, dryRun } = this.#options;
    if (out === undefined || dryRun) return new EspalierError("stopped: nothing was written.");
    const holds =
      epochs === 0 ? "the pruned model, not fine-tuned" : `the best of ${plural(epochs, "epoch")}`;
    return new EspalierError(
      `stopped in fine-tuning; ${out} holds ${holds}. To go on: espalier train --from ${out} --out FILE`,
    );
  }

  async #report(report: PrunedReport): Promise<void> {
    const { print, colors } = this.#context;
    const { json, out, planOut, dryRun } = this.#options;
    const written = dryRun ? [] : [out, planOut].filter((path) => path !== undefined);
    if (json) print([JSON.stringify({ ...prunedJson(report), written }, null, 2)]);
    else {
      const files = written.map((path) => colors.green(path));
      print([
        ...prunedLines(report, colors),
        "",
        ...(files.length === 0 ? ["nothing was written"] : [files.join("  ")]),
      ]);
    }
  }
}

type MakeStrategy = (
  spec: ChosenStrategies["whole"],
) => ReturnType<Awaited<ReturnType<typeof registryWith>>["strategy"]>;
