import { type Json, sha256, type Target } from "@espalier/core";
import type { UseConfig } from "@espalier/recipe";
import type { SweepConfig, TrainingConfig } from "./config.ts";

/** Data as a cell depends on it. */
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
}

/** Prunes what a train cell gives, fine-tunes and evaluates it. */
export interface PruneCell {
  readonly kind: "prune";
  readonly dense: TrainCell;
  readonly strategy: UseConfig;
  readonly target: Target;
  readonly fineTuning: TrainingConfig;
}

/** Times what a prune cell gives against its dense model. */
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

/** One thing to do: train, prune, time, or prune layer by layer. */
export type Cell = TrainCell | PruneCell | LatencyCell | SensitivityCell;

/** All cells of a sweep, each after what it depends on. */
export function cellsOf(config: SweepConfig): Cell[] {
  const cells: Cell[] = [];
  const { inputLength, horizon, scale, missing, evaluationWindows, sensitivity } = config;
  for (const dataset of config.datasets) {
    const data: DataConfig = {
      dataset,
      inputLength,
      horizon,
      scale,
      ...(missing === undefined ? {} : { missing }),
      ...(evaluationWindows === undefined ? {} : { evaluationWindows }),
    };
    for (const model of config.models) {
      for (const seed of config.seeds) {
        const dense: TrainCell = {
          kind: "train",
          model,
          data,
          training: config.training,
          seed,
          backend: config.trainingBackend,
        };
        cells.push(dense);
        if (sensitivity !== undefined) cells.push({ kind: "sensitivity", dense, sensitivity });
        cells.push(...pruneCells(config, dense));
      }
    }
  }
  return cells;
}

function pruneCells(config: SweepConfig, dense: TrainCell): Cell[] {
  return config.strategies.flatMap((strategy) =>
    config.targets.flatMap((target) =>
      config.fineTuning.flatMap((fineTuning, variant) => {
        const pruned: PruneCell = { kind: "prune", dense, strategy, target, fineTuning };
        // Fine-tuning changes no shape and no mask: its first variant is timed for all.
        return [pruned, ...(variant === 0 && isTimed(config, target) ? latencyCells(config, pruned) : [])];
      }),
    ),
  );
}

function isTimed({ timedTargets }: SweepConfig, target: Target): boolean {
  return timedTargets?.some((timed) => stableKey(timed) === stableKey(target)) ?? true;
}

function latencyCells(config: SweepConfig, pruned: PruneCell): LatencyCell[] {
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

/** Name of a cell: a hash of all it depends on, the data's checksum included. Labels do not count. */
export function cellId(cell: Cell, checksums: ReadonlyMap<string, string>): string {
  return sha256(new TextEncoder().encode(stableKey(cell, checksums))).slice(0, 24);
}

/**
 * Part of a cell as text: equal for what means the same, whatever the order of its keys, its labels, and the path of
 * its data.
 */
export function stableKey(part: unknown, checksums: ReadonlyMap<string, string> = new Map()): string {
  return JSON.stringify(canonical(part as Json, checksums));
}

function canonical(value: Json, checksums: ReadonlyMap<string, string>): Json {
  if (Array.isArray(value)) return value.map((item: Json) => canonical(item, checksums));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value as { [key: string]: Json })
    .filter(([key, item]) => key !== "label" && item !== undefined)
    .map(([key, item]): [string, Json] =>
      key === "dataset" && typeof item === "string"
        ? [key, checksums.get(item) ?? item]
        : [key, canonical(item, checksums)],
    );
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The dense model that a cell is about. */
export function denseCell(cell: Cell): TrainCell {
  if (cell.kind === "train") return cell;
  return cell.kind === "latency" ? cell.pruned.dense : cell.dense;
}

/** How a strategy is called in charts. */
export function labelOf(use: UseConfig): string {
  if (typeof use.label === "string") return use.label;
  return use.use;
}
