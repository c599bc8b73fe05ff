import type { Json, Target } from "@espalier/core";
import { sha256 } from "@espalier/core/documents";
import {
  expand,
  followsRecipe,
  type LatencySettings,
  pruningOf,
  type Recipe,
  type Shorthand,
  type Step,
  targetsOf,
  type UseConfig,
} from "@espalier/recipe";
import type { SweepConfig, SweepRecipe, TrainingConfig, TuningConfig } from "./config.ts";

/** The part of the data that a cell depends on. */
export interface DataConfig {
  readonly dataset: string;
  readonly inputLength: number;
  readonly horizon: number;
  readonly scale: SweepConfig["scale"];
  readonly missing?: SweepConfig["missing"];
  readonly evaluationWindows?: SweepConfig["evaluationWindows"];
}

/** Trains one dense model. */
export interface TrainCell {
  readonly kind: "train";
  readonly model: UseConfig;
  readonly data: DataConfig;
  readonly training: TrainingConfig;
  readonly seed: number;
  readonly backend: string;
  /** Forms of rounded weights to evaluate this model and those made from it with. */
  readonly store?: SweepConfig["store"];
}

interface PruneCellOf {
  readonly kind: "prune";
  readonly dense: TrainCell;
  /** Target of the whole recipe. */
  readonly target: Target;
  /** How a latency target is measured. */
  readonly measure?: LatencySettings;
}

/** Prunes by a strategy to a target, then fine-tunes. */
export interface StrategyCell
  extends PruneCellOf,
    Readonly<Pick<Partial<Shorthand>, "reconstruction" | "schedule">> {
  readonly strategy: UseConfig;
  readonly fineTuning: TuningConfig;
}

/** Prunes by a recipe. */
export interface RecipeCell extends PruneCellOf {
  readonly recipe: SweepRecipe;
}

/** Prunes the model of a train cell, and evaluates the result. */
export type PruneCell = StrategyCell | RecipeCell;

/** A cell that makes a model for other cells. */
export type ModelCell = TrainCell | PruneCell;

/** Times the model of a prune cell against its dense model. */
export interface LatencyCell {
  readonly kind: "latency";
  readonly pruned: PruneCell;
  readonly backend: string;
  readonly batch: number;
  readonly latency: SweepConfig["latency"];
}

/** Prunes each layer of a dense model alone, and measures the error. */
export interface SensitivityCell {
  readonly kind: "sensitivity";
  readonly dense: TrainCell;
  readonly sensitivity: NonNullable<SweepConfig["sensitivity"]>;
}

/** One task: train, prune, time, or prune layer by layer. */
export type Cell = TrainCell | PruneCell | LatencyCell | SensitivityCell;

/**
 * All cells of a sweep, each after those it depends on, in an order in which the first are useful by themselves: of each data
 * set and seed the dense models, then every model pruned to the first target, to the second, and so on; times come last, to be
 * taken when the machine has nothing else to do.
 */
export function cellsOf(config: SweepConfig): Cell[] {
  const { only, datasets, seeds } = config;
  const made = datasets.flatMap((dataset) => seeds.flatMap((seed) => modelCells(config, dataset, seed)));
  const cells = [
    ...made,
    ...made.flatMap((cell) => (cell.kind === "prune" ? latencyCells(config, cell) : [])),
  ];
  return only === undefined ? cells : cells.filter(({ kind }) => only.includes(kind));
}

/** The cells of a data set and a seed, without times. */
function modelCells(config: SweepConfig, dataset: string, seed: number): (ModelCell | SensitivityCell)[] {
  const { inputLength, horizon, scale, missing, evaluationWindows, sensitivity, store } = config;
  const data: DataConfig = {
    dataset,
    inputLength,
    horizon,
    scale,
    ...(missing === undefined ? {} : { missing }),
    ...(evaluationWindows === undefined ? {} : { evaluationWindows }),
  };
  const dense = config.models.map(
    (model): TrainCell => ({
      kind: "train",
      model,
      data,
      training: config.training,
      seed,
      backend: config.trainingBackend,
      ...(store && { store }),
    }),
  );
  const place = new Map(config.targets.map((target, i) => [stableKey(target), i]));
  const rankOf = ({ target }: PruneCell) => place.get(stableKey(target)) ?? place.size;
  return [
    ...dense,
    ...(sensitivity === undefined
      ? []
      : dense.map((of) => ({ kind: "sensitivity", dense: of, sensitivity }) as const)),
    ...dense
      .flatMap((of) => [...strategyCells(config, of), ...recipeCells(config, of)])
      .sort((a, b) => rankOf(a) - rankOf(b)),
  ];
}

function strategyCells(config: SweepConfig, dense: TrainCell): StrategyCell[] {
  const { strategies, targets, fineTuning: variants, reconstruction, schedule } = config;
  return strategies.flatMap((strategy) =>
    targets.flatMap((target) =>
      variants.map(
        (fineTuning): StrategyCell => ({
          kind: "prune",
          dense,
          strategy,
          target: target as Target,
          fineTuning,
          ...(reconstruction && { reconstruction }),
          ...(schedule && fineTuning.epochs > 0 && { schedule }),
          ...(target.latency !== undefined && { measure: measureOf(config) }),
        }),
      ),
    ),
  );
}

function recipeCells(config: SweepConfig, dense: TrainCell): RecipeCell[] {
  return config.recipes.flatMap((recipe) =>
    targetsIn(recipe, config).map(
      (target): RecipeCell => ({
        kind: "prune",
        dense,
        recipe,
        target,
        ...(target.latency !== undefined && { measure: recipe.latency ?? measureOf(config) }),
      }),
    ),
  );
}

/** The targets for a recipe: the sweep's if its steps leave them open, else the recipe's own final target. */
function targetsIn({ steps, target }: SweepRecipe, { targets }: SweepConfig): Target[] {
  if (steps.some(followsRecipe)) return (targets.length > 0 ? targets : [target ?? {}]) as Target[];
  const last = targetsOf({ steps }).findLast((own) => own !== undefined);
  return [last ?? { sparsity: 0 }];
}

function measureOf({ backends, batchSizes, latency }: SweepConfig): LatencySettings {
  return { backend: backends[0], batch: batchSizes[0], time: latency.time };
}

/** The rate schedule of cells without one, on which their ids are based. */
export const cellRate = { rateSchedule: "halving" } as const;

/** The recipe that a cell runs on its dense model. */
export function recipeOf(cell: PruneCell): Recipe {
  const { dense, target, measure } = cell;
  const common = { seed: dense.seed, backend: dense.backend, ...(measure && { latency: measure }) };
  if ("recipe" in cell) {
    const { steps } = cell.recipe;
    const open = steps.some(followsRecipe);
    return { format: 2, ...common, ...(open && { target }), steps };
  }
  const { strategy, fineTuning, reconstruction, schedule } = cell;
  return expand({
    ...common,
    strategies: [strategy],
    target,
    acceptNearest: true,
    ...(reconstruction && { reconstruction }),
    ...(schedule && { schedule }),
    ...(fineTuning.epochs > 0 && { fineTuning: { ...cellRate, ...fineTuning, epochs: fineTuning.epochs } }),
  });
}

function isTimed({ timedTargets }: SweepConfig, target: Target): boolean {
  return timedTargets?.some((timed) => stableKey(timed) === stableKey(target)) ?? true;
}

function latencyCells(config: SweepConfig, pruned: PruneCell): LatencyCell[] {
  // Fine-tuning changes neither shapes nor masks: its first variant is timed for all.
  const first = !("strategy" in pruned) || pruned.fineTuning === config.fineTuning[0];
  if (!first || !isTimed(config, pruned.target)) return [];
  return config.backends.flatMap((backend) =>
    config.batchSizes.map((batch) => ({
      kind: "latency" as const,
      pruned,
      backend,
      batch,
      latency: config.latency,
    })),
  );
}

/** Id of a cell of any kind: a hash of everything it depends on, including the data's checksum. Labels do not count. */
export function cellId(cell: object, checksums: ReadonlyMap<string, string>): string {
  return sha256(new TextEncoder().encode(stableKey(cell, checksums))).slice(0, 24);
}

/** Part of a cell as text: equal for equal meaning, whatever the order of its keys, its labels, and the path of its data. */
export function stableKey(part: unknown, checksums: ReadonlyMap<string, string> = new Map()): string {
  return JSON.stringify(canonical(part as Json, checksums));
}

function canonical(value: Json, checksums: ReadonlyMap<string, string>): Json {
  if (Array.isArray(value)) return value.map((item: Json) => canonical(item, checksums));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value as { [key: string]: Json })
    .filter(([key, item]) => key !== "label" && item !== undefined)
    .map(([key, item]): [string, Json] =>
      (key === "dataset" || key === "weights") && typeof item === "string"
        ? [key, checksums.get(item) ?? item]
        : [key, canonical(item, checksums)],
    );
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The dense model that a cell refers to. */
export function denseCell(cell: Cell): TrainCell {
  if (cell.kind === "train") return cell;
  return cell.kind === "latency" ? cell.pruned.dense : cell.dense;
}

/**
 * The strategy or recipe of a cell, a recipe without its last target, for that is the cell's target: recipes that differ in
 * nothing else are one procedure at several targets.
 */
export function procedureOf(cell: PruneCell): UseConfig {
  if ("strategy" in cell) return cell.strategy;
  const { label, steps } = cell.recipe;
  const last = steps.findLastIndex((step) => pruningOf(step)?.target !== undefined);
  return { use: "recipe", label, steps: steps.map((step, i) => (i === last ? withoutTarget(step) : step)) };
}

function withoutTarget(step: Step): object {
  const { target: _, ...pruning } = pruningOf(step)!;
  return step.do === "tune" ? { ...step, masks: pruning } : pruning;
}

/** Name of a strategy or recipe in charts. */
export function labelOf(use: UseConfig): string {
  if (typeof use.label === "string") return use.label;
  return use.use;
}
