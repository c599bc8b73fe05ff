import { EspalierError, type Target } from "@espalier/core";
import { readTarget } from "@espalier/core/pruning";
import {
  contradictionsIn,
  dataSchema,
  expand,
  followsRecipe,
  type Problem,
  problemsIn,
  pruningOf,
  type Recipe,
  type Registry,
  type Shorthand,
  type Step,
  targetsOf,
} from "@espalier/recipe";
import type { FitOptions } from "@espalier/training";
import { fitSettings } from "../options/groups.ts";
import {
  type GivenOptions,
  metrics,
  nameOf,
  optionFor,
  optionText,
  type PruneOption,
  shorthandKey,
} from "./prune-names.ts";
import type { LoadedRecipe } from "./recipe.ts";
import { chosenStrategies } from "./strategies.ts";

/** The input of `espalier prune`. */
export interface PruneCommand {
  /** The model's file, if the command line names one. */
  readonly file: string | undefined;
  readonly given: GivenOptions;
  /** The recipe of `--recipe`. */
  readonly read: LoadedRecipe | undefined;
}

/**
 * The recipe that a command line of `espalier prune` stands for: its options override those of the `--recipe` file.
 * Most options replace one setting; three replace more: a target replaces all targets of the recipe, `--strategy` all
 * of its strategies, and `--dataset` all of its data settings. Throws an EspalierError for options that contradict each
 * other or the recipe.
 */
export function pruneRecipe(command: PruneCommand, registry: Registry): Recipe {
  const { given, read } = command;
  const recipe =
    given.plan !== undefined
      ? planned(command, given.plan)
      : read !== undefined && read.shorthand === undefined
        ? changed(command, read)
        : expand(shortened(command, registry));
  refuseProblems(problemsIn(recipe, { registry }), command);
  return recipe;
}

/** Throws an EspalierError for the first problem of a command's recipe, in the words of the command line. */
export function refuseProblems([problem]: readonly Problem[], { given, read }: PruneCommand): void {
  if (problem === undefined) return;
  const { path, message } = problem;
  const inSteps = read !== undefined && read.shorthand === undefined;
  const key = inSteps ? path.map(String).join(".") : shorthandKey(path);
  const option = optionFor(key, given);
  const ownFault = inSteps && (option === undefined || given[option] === undefined);
  const place = ownFault ? read.place(...path) : nameOf(key, given, read?.shorthand);
  throw new EspalierError(`${place}: ${message}`);
}

/** The recipe for `--plan`, with a fit if there is one. */
function planned(command: PruneCommand, plan: string): Recipe {
  const { given, read } = command;
  const other = firstGiven(given, ["recipe", ...forStrategies, ...forTargets, ...forSchedules, "planOut"]);
  if (other !== undefined)
    throw new EspalierError(
      `${optionText(other)} cannot be combined with --plan, which already says what to prune.`,
    );
  const { fineTune: epochs, reconstruct } = given;
  if (epochs === undefined) refuseIdle(given);
  const { fit, distill } = tuningOf(given);
  const steps: Recipe["steps"] = [{ do: "apply", plan, ...(reconstruct && { reconstruct: {} }) }];
  if (epochs !== undefined) steps.push({ do: "tune", fit: { ...fit, epochs }, ...distill });
  return { format: 2, ...around(command, read?.recipe), steps };
}

/** Applies options to the shorthand of a format 1 recipe, or to nothing. */
function shortened(command: PruneCommand, registry: Registry): Shorthand {
  const { given, read } = command;
  const base: Partial<Shorthand> = read?.shorthand ?? {};
  const target = (givenTarget(given) ?? base.target) as Target | undefined;
  const { steps, tune, curve, gradual } = given;
  const schedule = { ...base.schedule, ...defined({ steps, tune, curve }) };
  const { fit, distill } = tuningOf(given);
  const epochs = given.fineTune ?? base.fineTuning?.epochs;
  if (epochs === undefined) refuseIdle(given);
  const chosen = chosenStrategies(given, base, registry);
  if (target === undefined) {
    const options = metrics
      .map(optionText)
      .join(", ")
      .replace(/, (?=[^,]*$)/, " or ");
    throw new EspalierError(`no target: give ${options}, or --plan.`);
  }
  readTarget(target);
  const common = around(command, base, target.latency !== undefined);
  const shorthand: Shorthand = {
    format: 1,
    ...common,
    ...(typeof common.model === "object" && base.training && { training: base.training }),
    ...chosen,
    target,
    ...((given.acceptNearest ?? base.acceptNearest) && { acceptNearest: true }),
    ...(base.reconstruction
      ? { reconstruction: base.reconstruction }
      : given.reconstruct && { reconstruction: {} }),
    ...((Object.keys(schedule).length > 0 || gradual) && {
      schedule: { ...schedule, ...(gradual && { gradual: schedule.gradual ?? {} }) },
    }),
    ...(epochs !== undefined && { fineTuning: { ...base.fineTuning, ...fit, ...distill, epochs } }),
  };
  const [contradiction] = contradictionsIn(shorthand, (path) => nameOf(path, given, read?.shorthand));
  if (contradiction === undefined) return shorthand;
  const { path, message } = contradiction;
  throw new EspalierError(`${nameOf(path.join("."), given, read?.shorthand)} ${message}.`);
}

/** Applies options to a recipe of steps: those that apply to every step of a kind. */
function changed(command: PruneCommand, read: LoadedRecipe): Recipe {
  const { given } = command;
  const { recipe, file } = read;
  const { steps } = recipe;
  const refuse = (options: readonly PruneOption[], why: string) => {
    const option = firstGiven(given, options);
    if (option === undefined) return;
    throw new EspalierError(`${optionText(option)}: ${file} ${why}. Edit the file, or drop the option.`);
  };
  refuse([...forStrategies, ...forSchedules, "reconstruct"], "lists the steps to run");
  if (!steps.some(followsRecipe)) refuse(metrics, "sets a target in every step");
  if (!steps.some((step) => step.do === "tune")) refuse(["fineTune", ...forFits], "has no tune step");
  if (!steps.some(pruningOf)) refuse(["acceptNearest"], "has no step with a target");
  const target = givenTarget(given) ?? recipe.target;
  if (target !== undefined) readTarget(target as Target);
  const measured = targetsOf({ steps, target }).some((one) => one?.latency !== undefined);
  return {
    format: 2,
    ...around(command, recipe, measured),
    ...(target && { target }),
    steps: steps.map((step) => changedStep(step, given)) as Recipe["steps"],
  };
}

function changedStep(step: Step, given: GivenOptions): Step {
  const nearest = given.acceptNearest && { acceptNearest: true };
  if (step.do === "prune") return { ...step, ...nearest };
  if (step.do !== "tune") return step;
  const { fit, distill } = tuningOf(given);
  const epochs = given.fineTune ?? step.fit.epochs;
  return {
    ...step,
    fit: { ...step.fit, ...fit, epochs },
    ...distill,
    ...(step.masks && { masks: { ...step.masks, ...nearest } }),
  };
}

/** Settings outside the steps. Measurement settings are kept only if something is measured. */
function around(
  { file, given }: PruneCommand,
  recipe: Partial<Recipe | Shorthand> = {},
  measured = false,
): Pick<Recipe, "label" | "model" | "data" | "latency" | "backend" | "seed"> {
  const { latencyBackend, batch, latencyTime } = given;
  // The command line has one option per key.
  const keys = Object.keys(dataSchema.shape) as (keyof typeof dataSchema.shape)[];
  const data = defined(Object.fromEntries(keys.map((key) => [key, given[key]])));
  const latency = { backend: latencyBackend, batch, time: latencyTime };
  return defined({
    label: recipe.label,
    model: file ?? recipe.model,
    data: filled({ ...(given.dataset === undefined && recipe.data), ...data }),
    latency: filled({ ...(measured && recipe.latency), ...defined(latency) }),
    backend: given.backend ?? recipe.backend,
    seed: given.seed ?? recipe.seed,
  });
}

const forStrategies = ["strategy", "criterion", "scope", "keep", "roundTo", "set"] as const;
const forTargets = [...metrics, "latencyBackend", "batch", "latencyTime", "acceptNearest"] as const;
const forSchedules = ["steps", "tune", "curve", "gradual"] as const;
const forFits = [
  "distill",
  "learningRate",
  "rateSchedule",
  "warmup",
  "batchSize",
  "batchesPerEpoch",
  "patience",
  "weightDecay",
  "groupPenalty",
  "regrow",
] as const;

/** Options for training a pruned model. The seed comes from the recipe. */
function tuningOf(given: GivenOptions): {
  readonly fit: Omit<FitOptions, "epochs" | "seed">;
  readonly distill: { readonly distill?: number };
} {
  const { seed: _whole, ...fit } = fitSettings({ backend: "wasm", ...given }, undefined);
  return { fit, distill: defined({ distill: given.distill }) };
}

function firstGiven(given: GivenOptions, options: readonly PruneOption[]): PruneOption | undefined {
  return options.find((option) => given[option] !== undefined);
}

function refuseIdle(given: GivenOptions): void {
  const idle = firstGiven(given, forFits);
  if (idle !== undefined) throw new EspalierError(`${optionText(idle)} only applies with --fine-tune.`);
}

function givenTarget(given: GivenOptions): Target | undefined {
  return filled(Object.fromEntries(metrics.map((metric) => [metric, given[metric]]))) as Target | undefined;
}

function defined<T extends object>(values: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}

/** The object without undefined values, or undefined if nothing is left. */
function filled<T extends object>(values: T): T | undefined {
  const all = defined(values);
  return Object.keys(all).length === 0 ? undefined : (all as T);
}
