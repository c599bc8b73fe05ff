import { EspalierError } from "../errors.ts";
import { float32, type TensorData } from "../graph/tensor.ts";
import { isKept } from "../model/mask.ts";
import { type Json, type Model, withTensors } from "../model/model.ts";
import type { PruningPlan } from "../pruning/plan.ts";
import { applySteps, prune } from "../pruning/prune.ts";
import type { Collect } from "../pruning/strategy.ts";
import { inputMoments, type Moments, type Pair } from "./moments.ts";
import { type Product, productsOf } from "./products.ts";
import { excess, type Problem, type RefitMethod, refit } from "./refit.ts";

/** What is pruned, and what it is refitted on. */
export interface ReconstructRequest {
  /** The model the plan was made for: its outputs are what is kept. */
  readonly model: Model;
  readonly plan: PruningPlan;
  /** Runs graphs over calibration batches. No labels are asked for. */
  readonly collect: Collect;
  /** Ridge, as a share of the mean of the squared inputs; 0.01 by default. */
  readonly damping?: number;
  /** By default `least-squares`, and `obs` for products where that would take long. */
  readonly method?: RefitMethod;
  /** What `collect` runs over, for the model's history. */
  readonly calibration?: Json;
  readonly signal?: AbortSignal;
  readonly onLayer?: (layer: LayerError, done: number, total: number) => void;
}

/** How far a layer's output is from the dense model's, over the calibration data: ‖y − ŷ‖² ÷ ‖y‖². */
export interface LayerError {
  /** Name of its weight. */
  readonly tensor: string;
  readonly before: number;
  readonly after: number;
}

/** A pruned model whose weights make up for what is gone. */
export interface Reconstruction {
  readonly model: Model;
  /** In the order of the graph; layers before the first that lost anything are not among them. */
  readonly layers: readonly LayerError[];
}

/**
 * Carries a plan out and refits what it leaves: layer after layer, the weights of each product (and its bias) are chosen so
 * that from the inputs it has in the pruned model its outputs come nearest those it had in the dense one. He et al., ICCV
 * 2017, for what is removed; Hassibi and Stork, 1993, and Frantar and Alistarh, 2023, for what is masked. On the
 * calibration data no layer's error rises. The same plan on the same data gives the same weights.
 */
export async function reconstruct(request: ReconstructRequest): Promise<Reconstruction> {
  const { model: dense, plan, collect, damping = 0.01, method, calibration, signal, onLayer } = request;
  if (!(damping > 0)) throw new EspalierError(`damping ${damping} of reconstruction must be above 0.`);
  const pruned = prune(dense, plan);
  const pairs = pairsOf(dense, pruned);
  const origins = originsOf(dense, plan);
  const layers: LayerError[] = [];
  let model = pruned;
  let known: { readonly key: string; readonly moments: Moments | undefined } | undefined;
  for (const [i, pair] of pairs.entries()) {
    signal?.throwIfAborted();
    const key = `${pair.dense.data} ${pair.pruned.data}`;
    if (known?.key !== key)
      known = { key, moments: await inputMoments({ dense, pruned: model }, pair, collect) };
    const { moments } = known;
    if (moments === undefined) continue;
    const { error, tensors } = refitPair({ dense, pruned: model }, pair, origins, moments, {
      damping,
      method,
    });
    model = withTensors(model, tensors);
    layers.push(error);
    onLayer?.(error, i + 1, pairs.length);
  }
  const entry: Json = {
    did: "reconstruct",
    base: plan.base,
    damping,
    ...(method === undefined ? {} : { method }),
    ...(calibration === undefined ? {} : { calibration }),
    layers: layers.map((layer) => ({ ...layer })),
  };
  return { model: { ...model, history: [...pruned.history, entry] }, layers };
}

/** Products that both models have, from the first whose weights changed. Weights that several products share stay out. */
function pairsOf(dense: Model, pruned: Model): Pair[] {
  const own = uniqueProducts(dense);
  const pairs = [...uniqueProducts(pruned)].flatMap(([tensor, product]): Pair[] => {
    const before = own.get(tensor);
    return before === undefined ? [] : [{ dense: before, pruned: product }];
  });
  const first = pairs.findIndex(({ pruned: { tensor } }) => changed(dense, pruned, tensor));
  return first < 0 ? [] : pairs.slice(first);
}

function uniqueProducts(model: Model): Map<string, Product> {
  const groups = Map.groupBy(productsOf(model.graph), ({ tensor }) => tensor);
  return new Map([...groups].flatMap(([tensor, all]) => (all.length === 1 ? [[tensor, all[0]!]] : [])));
}

function changed(dense: Model, pruned: Model, tensor: string): boolean {
  const [before, after] = [dense.tensors.get(tensor)!.data, pruned.tensors.get(tensor)!.data];
  return before.length !== after.length || after.some((value, i) => value !== before[i]);
}

/** For every tensor of the pruned model, the elements of the dense model's that it kept. */
function originsOf(dense: Model, { steps }: PruningPlan): Model["tensors"] {
  const counted = new Map(
    [...dense.tensors].map(([name, { shape, data }]): [string, TensorData] => [
      name,
      { dtype: "int32", shape, data: Int32Array.from({ length: data.length }, (_, i) => i) },
    ]),
  );
  const removals = steps.filter((step) => step.do === "remove");
  return applySteps({ ...dense, tensors: counted, masks: new Map() }, removals).tensors;
}

interface RefitSettings {
  readonly damping: number;
  readonly method: RefitMethod | undefined;
}

/** One pair's new weights, and its error before and after. */
function refitPair(
  models: { readonly dense: Model; readonly pruned: Model },
  { dense, pruned }: Pair,
  origins: Model["tensors"],
  moments: Moments,
  { damping, method }: RefitSettings,
): { readonly error: LayerError; readonly tensors: Map<string, TensorData> } {
  const { inputs, outputs, elements, tensor, bias } = pruned;
  const whole = columnsOf(models.dense, dense);
  const where = new Int32Array(dense.elements.length);
  dense.elements.forEach((element, position) => {
    where[element] = position;
  });
  const origin = origins.get(tensor)!.data;
  const before = Array.from(
    { length: outputs },
    (_, o) => whole[where[origin[elements[o]!]!]! % dense.outputs]!,
  );
  const mask = models.pruned.masks.get(tensor);
  const biasMask = bias === undefined ? undefined : models.pruned.masks.get(bias);
  const free = Array.from({ length: outputs }, (_, o) => {
    const kept: number[] = [];
    for (let i = 0; i < inputs; i++) {
      if (mask === undefined || isKept(mask, elements[i * outputs + o]!)) kept.push(i);
    }
    if (bias !== undefined && (biasMask === undefined || isKept(biasMask, o))) kept.push(inputs);
    return kept;
  });
  const { own, cross } = moments;
  let trace = 0;
  for (let i = 0; i < inputs; i++) trace += own.data[i * own.size + i]!;
  const problem: Problem = {
    moments: own,
    targets: before.map((w) => times(cross, own.size, w)),
    columns: columnsOf(models.pruned, pruned),
    free,
    ridge: Math.max((damping * trace) / inputs, Number.MIN_VALUE),
  };
  const columns = refit(problem, method);
  const norm = before.reduce((sum, w) => sum + dot(w, times(moments.dense.data, w.length, w)), 0);
  const errorOf = (all: readonly Float64Array[]) =>
    norm === 0 ? 0 : Math.max(0, 1 + all.reduce((sum, w, o) => sum + excess(problem, o, w), 0) / norm);
  const error = { tensor, before: errorOf(problem.columns), after: errorOf(columns) };
  return { error, tensors: tensorsOf(models.pruned, pruned, columns) };
}

/** W's columns with the bias behind each. */
function columnsOf(model: Model, { inputs, outputs, elements, tensor, bias }: Product): Float64Array[] {
  const weights = model.tensors.get(tensor)!.data;
  const shift = bias === undefined ? undefined : model.tensors.get(bias)!.data;
  return Array.from({ length: outputs }, (_, o) =>
    Float64Array.from({ length: inputs + 1 }, (_, i) =>
      i < inputs ? weights[elements[i * outputs + o]!]! : (shift?.[o] ?? 0),
    ),
  );
}

function tensorsOf(
  model: Model,
  { inputs, outputs, elements, tensor, bias }: Product,
  columns: readonly Float64Array[],
): Map<string, TensorData> {
  const { shape } = model.tensors.get(tensor)!;
  const weights = new Float32Array(inputs * outputs);
  columns.forEach((w, o) => {
    for (let i = 0; i < inputs; i++) weights[elements[i * outputs + o]!] = w[i]!;
  });
  const tensors = new Map([[tensor, float32(shape, weights)]]);
  if (bias !== undefined)
    tensors.set(
      bias,
      float32(
        [outputs],
        Float32Array.from(columns, (w) => w[inputs]!),
      ),
    );
  return tensors;
}

/** A·w, A with `rows` rows. */
function times(a: Float64Array, rows: number, w: Float64Array): Float64Array {
  return Float64Array.from({ length: rows }, (_, i) => {
    let sum = 0;
    for (let j = 0; j < w.length; j++) sum += a[i * w.length + j]! * w[j]!;
    return sum;
  });
}

function dot(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}
