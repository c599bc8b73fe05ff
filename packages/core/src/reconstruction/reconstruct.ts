import { EspalierError } from "../errors.ts";
import { float32, type TensorData } from "../graph/tensor.ts";
import { isKept } from "../model/mask.ts";
import { type Json, type Model, withTensors } from "../model/model.ts";
import type { PruningPlan } from "../pruning/plan.ts";
import { applySteps, prune } from "../pruning/prune.ts";
import type { Collect } from "../pruning/strategy.ts";
import { type Moments, momentsOf, type Pair } from "./moments.ts";
import { type Product, productsOf } from "./products.ts";
import { excess, type Problem, type RefitMethod, refit } from "./refit.ts";

/** Input of a reconstruction. */
export interface ReconstructRequest {
  /** The model that the plan was made for, whose outputs are to be preserved. */
  readonly model: Model;
  readonly plan: PruningPlan;
  /** Runs graphs over calibration batches. No labels are needed. */
  readonly collect: Collect;
  /** Ridge, relative to the mean of the squared inputs; 0.01 by default. */
  readonly damping?: number;
  /** By default `least-squares`, and `obs` for products where that would take long. */
  readonly method?: RefitMethod;
  /** Description of the data behind `collect`, for the model's history. */
  readonly calibration?: Json;
  readonly signal?: AbortSignal;
  /** Called after each layer. */
  readonly onLayer?: (layer: LayerError, done: number, total: number) => void;
}

/**
 * Relative error of a layer's output, including the residual that is added to it, over the calibration data: ‖y − ŷ‖² ÷
 * ‖y‖², where y is the dense model's.
 */
export interface LayerError {
  /** Name of its weight. */
  readonly tensor: string;
  readonly before: number;
  readonly after: number;
}

/** A pruned model whose weights compensate for what was removed. */
export interface Reconstruction {
  readonly model: Model;
  /** The layers that lost something, in the order of the graph. */
  readonly layers: readonly LayerError[];
}

/**
 * Carries out a plan and refits the remaining weights, layer by layer: the weights of each product (and its bias) are
 * chosen so that, from its inputs in the pruned model, its outputs come closest to those in the dense one. If a
 * residual is added, the sum is fitted, so that losses of the residual are compensated too. He et al., ICCV 2017, for
 * removed parts; Hassibi and Stork, 1993, and Frantar and Alistarh, 2023, for masks. No layer's error on the
 * calibration data rises. The same plan on the same data gives the same weights.
 */
export async function reconstruct(request: ReconstructRequest): Promise<Reconstruction> {
  const { model: dense, plan, collect, damping = 0.01, method, calibration, signal, onLayer } = request;
  if (!(damping > 0)) throw new EspalierError(`damping ${damping} of reconstruction must be above 0.`);
  const pruned = prune(dense, plan);
  const pairs = pairsOf(dense, pruned, plan);
  const layers: LayerError[] = [];
  let model = pruned;
  let done = 0;
  for (const group of groupsOf(pairs)) {
    signal?.throwIfAborted();
    const moments = await momentsOf({ dense, pruned: model }, group, collect);
    for (const [{ pruned: product }, sums] of moments) {
      const refitted = refitProduct(model, product, sums, { damping, method });
      if (refitted === undefined) continue;
      model = withTensors(model, refitted.tensors);
      layers.push(refitted.error);
      onLayer?.(refitted.error, done, pairs.length);
    }
    done += group.length;
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

/** Products that both models have, in the pruned graph's order. Weights that several products share are left out. */
function pairsOf(dense: Model, pruned: Model, plan: PruningPlan): Pair[] {
  const own = uniqueProducts(dense);
  const origins = originsOf(dense, plan);
  return [...uniqueProducts(pruned)].flatMap(([tensor, product]): Pair[] => {
    const before = own.get(tensor);
    if (before === undefined) return [];
    const where = new Int32Array(before.elements.length);
    before.elements.forEach((element, position) => {
      where[element] = position;
    });
    const origin = origins.get(tensor)!.data;
    const outputs = Int32Array.from(
      { length: product.outputs },
      (_, o) => where[origin[product.elements[o]!]!]! % before.outputs,
    );
    return [{ dense: before, pruned: product, outputs }];
  });
}

/**
 * Groups consecutive products with common inputs, such as those of queries, keys and values. A product that is added to
 * something stands alone: the other term may be one of the group, and must be final.
 */
function groupsOf(pairs: readonly Pair[]): Pair[][] {
  const groups: Pair[][] = [];
  for (const pair of pairs) {
    const last = groups.at(-1) ?? [];
    if (last[0] !== undefined && goTogether(last[0].pruned, pair.pruned)) last.push(pair);
    else groups.push([pair]);
  }
  return groups;
}

function goTogether(a: Product, b: Product): boolean {
  const alone = a.residual !== undefined || b.residual !== undefined;
  return !alone && a.data === b.data && a.dataAxis === b.dataAxis;
}

function uniqueProducts(model: Model): Map<string, Product> {
  const groups = Map.groupBy(productsOf(model.graph), ({ tensor }) => tensor);
  return new Map([...groups].flatMap(([tensor, all]) => (all.length === 1 ? [[tensor, all[0]!]] : [])));
}

/** For every tensor of the pruned model, the elements of the dense model's tensor that it kept. */
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

/** One product's new weights, and its error before and after; undefined if it lost nothing. */
function refitProduct(
  model: Model,
  product: Product,
  { inputs: moments, cross, target, norm }: Moments,
  { damping, method }: RefitSettings,
): { readonly error: LayerError; readonly tensors: Map<string, TensorData> } | undefined {
  const { inputs, outputs, tensor } = product;
  let trace = 0;
  for (let i = 0; i < inputs; i++) trace += moments.data[i * moments.size + i]!;
  const problem: Problem = {
    moments,
    targets: Array.from({ length: outputs }, (_, o) =>
      Float64Array.from({ length: moments.size }, (_, i) => cross[i * outputs + o]!),
    ),
    columns: columnsOf(model, product),
    free: freeOf(model, product),
    ridge: Math.max((damping * trace) / inputs, Number.MIN_VALUE),
  };
  const errorOf = (excesses: readonly number[]) =>
    norm === 0 ? 0 : Math.max(0, excesses.reduce((sum, one) => sum + one, target) / norm);
  const old = problem.columns.map((w, o) => excess(problem, o, w));
  const before = errorOf(old);
  if (before < rounding) return undefined;
  const { columns, after } = refit(problem, old, method);
  return {
    error: { tensor, before, after: errorOf(after) },
    tensors: tensorsOf(model, product, columns),
  };
}

/** For each column, the indices of weights, and of the bias after them, that no mask holds at zero. */
function freeOf({ masks }: Model, { inputs, outputs, elements, tensor, bias }: Product): number[][] {
  const mask = masks.get(tensor);
  const biasMask = bias === undefined ? undefined : masks.get(bias);
  return Array.from({ length: outputs }, (_, o) => {
    const free: number[] = [];
    for (let i = 0; i < inputs; i++) {
      if (mask === undefined || isKept(mask, elements[i * outputs + o]!)) free.push(i);
    }
    if (bias !== undefined && (biasMask === undefined || isKept(biasMask, o))) free.push(inputs);
    return free;
  });
}

/** Errors up to this come from float32 rounding alone. */
const rounding = 1e-6;

/** The columns of W, each followed by its bias. */
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
