import { layerOf } from "../accounting/layers.ts";
import { type Criterion, prunableTensors } from "../criteria/criterion.ts";
import { findCriterion } from "../criteria/index.ts";
import { isKept } from "../model/mask.ts";
import type { Model } from "../model/model.ts";
import type { Collect } from "../pruning/strategy.ts";

/** Options of an importance distribution. */
export interface ImportanceRequest {
  readonly model: Model;
  /** `l1` by default. */
  readonly criterion?: string | Criterion;
  /** Needed by criteria that use data. */
  readonly collect?: Collect;
  /** Number of bins; 32 by default. */
  readonly bins?: number;
}

/** The distribution of importance over a model's weights, on one logarithmic scale. */
export interface ImportanceDistribution {
  readonly criterion: string;
  /** Edges of the bins as powers of ten, ascending: one more than there are bins. Smaller scores are in the first bin. */
  readonly edges: readonly number[];
  readonly layers: readonly LayerImportance[];
}

/** Weights with two or more axes of one layer. */
export interface LayerImportance {
  readonly name: string;
  /** By bin. */
  readonly counts: readonly number[];
  /** Weights that are masked or have no importance; they are in no bin. */
  readonly zeros: number;
  /** Median of the binned weights as a power of ten, accurate to a bin; undefined if there are none. */
  readonly median?: number;
}

/** Share of the scores that may fall below the first bin, so that a few tiny ones do not squeeze all others together. */
const tail = 0.002;

/** The distribution of a criterion's scores over the weights of every layer, in graph order. */
export async function importanceDistribution(request: ImportanceRequest): Promise<ImportanceDistribution> {
  const { model, bins = 32 } = request;
  const criterion = findCriterion(request.criterion ?? "l1");
  const tensors = prunableTensors(model);
  const scores = await criterion.weights(request, tensors);
  const logs = new Map(tensors.map((name) => [name, logarithms(model, name, scores.get(name)!)]));
  const edges = edgesOf(
    [...logs.values()].map(({ values }) => values),
    bins,
  );
  const layers = Map.groupBy(tensors, layerOf);
  return {
    criterion: criterion.name,
    edges,
    layers: [...layers].map(([name, members]) =>
      layerImportance(
        name,
        members.map((t) => logs.get(t)!),
        edges,
      ),
    ),
  };
}

interface Logarithms {
  /** The scores above 0. */
  readonly values: Float32Array;
  readonly zeros: number;
}

function logarithms(model: Model, name: string, scores: Float32Array): Logarithms {
  const mask = model.masks.get(name);
  const counts = (score: number, i: number) => score > 0 && (mask === undefined || isKept(mask, i));
  const values = scores.filter(counts).map(Math.log10);
  return { values, zeros: scores.length - values.length };
}

function edgesOf(lists: readonly Float32Array[], bins: number): number[] {
  let total = 0;
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const values of lists) {
    total += values.length;
    for (const value of values) {
      if (value < least) least = value;
      if (value > most) most = value;
    }
  }
  if (total === 0) return Array.from({ length: bins + 1 }, (_, i) => i / bins);
  const fine = 4096;
  const counts = new Float64Array(fine);
  const width = (most - least || 1) / fine;
  for (const values of lists)
    for (const value of values) counts[Math.min(fine - 1, Math.floor((value - least) / width))]!++;
  let skipped = 0;
  let below = 0;
  while (skipped < fine - 1 && below + counts[skipped]! <= tail * total) below += counts[skipped++]!;
  const low = least + skipped * width;
  const high = most > low ? most : low + 1;
  return Array.from({ length: bins + 1 }, (_, i) => low + ((high - low) * i) / bins);
}

function layerImportance(
  name: string,
  parts: readonly Logarithms[],
  edges: readonly number[],
): LayerImportance {
  const bins = edges.length - 1;
  const [low, high] = [edges[0]!, edges[bins]!];
  const counts = new Array<number>(bins).fill(0);
  for (const { values } of parts) {
    for (const value of values) {
      const bin = Math.floor(((value - low) / (high - low)) * bins);
      counts[Math.max(0, Math.min(bins - 1, bin))]!++;
    }
  }
  const zeros = parts.reduce((sum, part) => sum + part.zeros, 0);
  const median = medianOf(counts, edges);
  return { name, counts, zeros, ...(median === undefined ? {} : { median }) };
}

/** The middle of the bin that contains the median; undefined if all counts are 0. */
export function medianOf(counts: readonly number[], edges: readonly number[]): number | undefined {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return undefined;
  let middle = 0;
  for (let seen = counts[0]!; seen < total / 2; seen += counts[middle]!) middle++;
  return (edges[middle]! + edges[middle + 1]!) / 2;
}
