import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { EspalierError, type Model, type PruningPlan, planToJson } from "@espalier/core";
import { encodeModel, roundWeights, type StoredWeights } from "@espalier/formats";
import { loadModel, writeFileAtomically } from "@espalier/formats/node";
import {
  idleKeeps,
  keepableNames,
  type Outcome,
  problemsIn,
  type Recipe,
  type RecipeEvent,
  type Registry,
  run,
  UnmetTargetError,
} from "@espalier/recipe";
import { plural } from "@espalier/report/text";
import { evaluate, type Metrics } from "@espalier/training";
import type { PruneOptions } from "../commands/prune.ts";
import type { Context } from "../context.ts";
import { type Bar, openBar } from "../output/progress.ts";
import { type PrunedReport, prunedJson, prunedLines } from "../output/pruned.ts";
import { resumingCommand } from "../shared/again.ts";
import { expectApart } from "../shared/apart.ts";
import { showEvaluation } from "../shared/fitting.ts";
import { registryWith } from "../shared/plugins.ts";
import { checkFiles, lockOut, readBy, type Unfinished, writtenBy } from "../shared/prune-files.ts";
import type { GivenOptions } from "../shared/prune-names.ts";
import { type PruneCommand, pruneRecipe, refuseProblems } from "../shared/prune-recipe.ts";
import { loadRecipe, recipeText } from "../shared/recipe.ts";
import { measureRounding, type Rounding } from "../shared/rounding.ts";
import { showRun } from "../shared/run-progress.ts";
import { CommandWorkbench } from "../shared/workbench.ts";

/** `espalier prune`. `given` holds only the options that the user gave. */
export async function prune(
  file: string | undefined,
  options: PruneOptions,
  given: GivenOptions,
  context: Context,
): Promise<void> {
  const registry = await registryWith(options.plugin, context);
  const read = options.recipe === undefined ? undefined : await loadRecipe(options.recipe, registry, context);
  const command = { file, given, read };
  const recipe = pruneRecipe(command, registry);
  if (!options.dryRun) await expectApart(writtenBy(options), readBy(recipe, options), context);
  const release = await lockOut(options, context);
  try {
    const unfinished = await checkFiles(recipe, options, context);
    const bar = await openBar(context);
    try {
      await new Pruning({ command, recipe, options, registry, unfinished, context, bar }).run();
    } finally {
      bar.stop();
    }
  } finally {
    await release();
  }
}

/** Everything that is known before the run begins. */
interface PruningParts {
  readonly command: PruneCommand;
  readonly recipe: Recipe;
  readonly options: PruneOptions;
  readonly registry: Registry;
  readonly unfinished: Unfinished;
  readonly context: Context;
  readonly bar: Bar;
}

/** Bytes of the model files before and after pruning, and of the one that is written. */
interface FileSizes {
  readonly before: number;
  readonly after: number;
  readonly stored: number;
}

class Pruning {
  readonly #parts: PruningParts;
  readonly #workbench: CommandWorkbench;
  /** Whether the files hold a run that can be resumed. */
  #kept: boolean;

  constructor(parts: PruningParts) {
    const { recipe, unfinished, options } = parts;
    this.#parts = parts;
    this.#workbench = new CommandWorkbench({ ...parts, data: recipe.data, threads: options.threads });
    this.#kept = unfinished.resume !== undefined;
  }

  async run(): Promise<void> {
    const { command, recipe, options, registry, unfinished, context, bar } = this.#parts;
    const { store, resume } = unfinished;
    const { model, bytes } = await this.#start();
    refuseProblems(problemsIn(recipe, { registry, model }), command);
    refuseProblems(idleKeeps(recipe, keepableNames(model)), command);
    context.endsInOrder(bar.line);
    const show = showRun(recipe, { bar, context, ...(resume && { resume }) });
    const outcome = await run({
      recipe,
      model,
      workbench: this.#workbench,
      signal: context.signal,
      onEvent: async (event) => {
        show(event);
        await this.#keepPlan(event);
      },
      ...(store && {
        onCheckpoint: async (checkpoint) => {
          await store.save(checkpoint);
          this.#kept = true;
        },
      }),
      resume,
    }).catch(async (error: unknown) => {
      throw error instanceof UnmetTargetError ? await this.#unmet(error) : error;
    });
    const unrounded = encodeModel(outcome.model, { compact: options.compact });
    if (outcome.ended === "aborted") throw await this.#stopped(outcome, unrounded);
    const written = options.store ? encodeModel(roundWeights(outcome.model, options.store)) : unrounded;
    await this.#write(options.out, written);
    await store?.clear();
    await this.#report(outcome, {
      before: bytes ?? encodeModel(outcome.dense).length,
      after: unrounded.length,
      stored: written.length,
    });
  }

  /** The model from a file with the file's size in bytes, or the model that a recipe draws. */
  async #start(): Promise<{ model: Model; bytes?: number }> {
    const { recipe, context } = this.#parts;
    const { model: source, seed, steps } = recipe;
    if (source === undefined)
      throw new EspalierError(
        "give a model file, or --recipe FILE that names one. See espalier prune --help.",
      );
    if (typeof source === "object") return { model: await this.#workbench.draw(source, seed) };
    const model = await loadModel(context.path(source));
    // A model that is trained first has no file yet.
    return steps[0]!.do === "train" ? { model } : { model, bytes: (await stat(context.path(source))).size };
  }

  async #keepPlan(event: RecipeEvent): Promise<void> {
    const { recipe } = this.#parts;
    if (event.kind === "planned" && recipe.steps[event.step]!.do === "prune")
      await this.#writePlan(event.plan);
  }

  async #writePlan(plan: PruningPlan): Promise<void> {
    await this.#write(this.#parts.options.planOut, planToJson(plan), true);
  }

  async #write(
    path: string | undefined,
    content: string | Uint8Array,
    force = this.#parts.options.force || this.#parts.options.resume || false,
  ): Promise<void> {
    const { options, context } = this.#parts;
    if (path !== undefined && !options.dryRun)
      await writeFileAtomically(context.path(path), content, { force });
  }

  async #unmet(error: UnmetTargetError): Promise<Error> {
    const { planOut, dryRun } = this.#parts.options;
    const written = planOut !== undefined && !dryRun;
    if (written) await this.#writePlan(error.plan);
    const nearest = written
      ? `Wrote the nearest plan to ${planOut}.`
      : "Give --accept-nearest to take the nearest plan.";
    return new EspalierError(`${error.message} ${nearest}`);
  }

  /** After a Ctrl-C: writes the model so far, and says in one line what was kept and how to resume. */
  async #stopped({ dense, model, steps }: Outcome, bytes: Uint8Array): Promise<Error> {
    const { recipe, options, context, bar } = this.#parts;
    const { out, dryRun } = options;
    bar.stop();
    const pruned = model.history.length > dense.history.length;
    const kept = pruned && out !== undefined && !dryRun;
    if (kept) await this.#write(out, bytes);
    if (!kept && !this.#kept) return new EspalierError("stopped: nothing was written.");
    const last = steps.at(-1);
    const at = last?.fit?.ended === "aborted" ? last.step : steps.length;
    const epochs = last?.step === at ? last.fit!.epochs.length : 0;
    const where = [
      `stopped in step ${at + 1} of ${recipe.steps.length} (${recipe.steps[at]?.do ?? "all done"})`,
      ...(epochs > 0 ? [`after ${plural(epochs, "epoch")}`] : []),
    ].join(" ");
    const holds = kept ? [`${out} holds the model so far`] : [];
    const again = this.#kept ? [`To resume: ${resumingCommand(context)}`] : [];
    return new EspalierError([[where, ...holds].join("; "), ...again].join(". "));
  }

  async #report({ dense, pruned, model, steps }: Outcome, bytes: FileSizes): Promise<void> {
    const { options, recipe, context, bar } = this.#parts;
    const fits = steps.some(({ fit }) => fit !== undefined);
    const measured = options.evaluate || fits;
    const test = async (one: Model, label: string): Promise<{ test?: Metrics }> =>
      measured ? { test: await this.#measure(one, `test ${label}`) } : {};
    const tuned = pruned !== undefined && pruned !== model;
    const between = tuned ? (await test(pruned, "pruned")).test : undefined;
    const before = await test(dense, "before");
    const after = await test(model, "after");
    const report: PrunedReport = {
      before: { model: dense, bytes: bytes.before, ...before },
      after: { model, bytes: bytes.after, ...after },
      ...(between && { pruned: between }),
      ...(options.store && {
        stored: {
          rounding: await this.#rounding(model, options.store, after.test),
          bytes: bytes.stored,
        },
      }),
      steps,
    };
    bar.stop();
    const { json, out, planOut, recipeOut, dryRun } = options;
    if (recipeOut !== undefined && !dryRun) {
      const path = context.path(recipeOut);
      await this.#write(recipeOut, await recipeText(recipe, dirname(path), context));
    }
    const written = dryRun ? [] : [out, planOut, recipeOut].filter((path) => path !== undefined);
    const { print, colors } = context;
    if (json) {
      print([JSON.stringify({ ...prunedJson(report), written }, null, 2)]);
      return;
    }
    const files = written.length === 0 ? "nothing was written" : written.map(colors.green).join("  ");
    print([...prunedLines(report, colors), "", files]);
  }

  async #rounding(model: Model, weights: StoredWeights, before: Metrics | undefined): Promise<Rounding> {
    const { recipe, context, bar } = this.#parts;
    const backend = await this.#workbench.backend(recipe.backend);
    const data = () => this.#workbench.data(model);
    const named = recipe.data?.dataset !== undefined;
    return measureRounding({ model, weights, backend, data, named, before }, context, bar);
  }

  async #measure(model: Model, label: string): Promise<Metrics> {
    const { recipe, context, bar } = this.#parts;
    const { test, scaler } = await this.#workbench.data(model);
    const backend = await this.#workbench.backend(recipe.backend);
    const onProgress = showEvaluation(bar, label);
    return evaluate({ model, backend, windows: test, scaler, signal: context.signal, onProgress });
  }
}
