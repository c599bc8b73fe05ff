import { account } from "../accounting/account.ts";
import type { Dimension, Dimensions } from "../dimensions/dimensions.ts";
import { type Expression, extentOf, isProduct } from "../dimensions/expression.ts";
import { EspalierError, unknownName } from "../errors.ts";
import { type Extent, printShape, type Shape, sameExtent } from "../graph/extent.ts";
import type { ValueId } from "../graph/graph.ts";
import type { TensorData } from "../graph/tensor.ts";
import { canonicalJson } from "../model/canonical-json.ts";
import { sha256 } from "../model/digest.ts";
import { divisors } from "../model/divisors.ts";
import { applyMask, intersect, keptCount, type Mask } from "../model/mask.ts";
import { digest, type Json, type Model } from "../model/model.ts";
import {
  type Expected,
  encodePlan,
  type MaskStep,
  type PruningPlan,
  type RemoveStep,
  type Step,
} from "./plan.ts";
import { type Kept, keptPositions, takeFromMask, takeFromTensor } from "./select.ts";
import { simplify } from "./simplify.ts";
import { targetEntry } from "./target.ts";

/**
 * Carries out a plan and returns a new, smaller model; the given model does not change. The same plan on the same model
 * gives the same bytes. Throws an EspalierError if the plan was made for another model, names something that the model
 * does not have, or would cut the only path from the inputs to an output.
 */
export function prune(model: Model, plan: PruningPlan): Model {
  if (plan.base !== digest(model)) {
    throw new EspalierError(
      `the plan was made for another model (or this one was already pruned): it expects ${short(plan.base)}, this is ${short(digest(model))}.`,
    );
  }
  const pruned = applySteps(model, plan.steps);
  const entry: Json = {
    did: "prune",
    strategy: plan.strategy,
    base: plan.base,
    steps: plan.steps.length,
    expected: { ...plan.expected },
    ...(plan.target === undefined ? {} : { target: targetEntry(plan.target) }),
    plan: recordOf(plan),
  };
  return { ...pruned, history: [...model.history, entry] };
}

/**
 * The history entry of a plan: a plan that only removes is short and is kept whole; of masks, which are long, a hash is
 * kept.
 */
function recordOf(plan: PruningPlan): Json {
  if (plan.steps.every((step) => step.do === "remove")) return encodePlan(plan);
  return { sha256: sha256(new TextEncoder().encode(canonicalJson(encodePlan(plan)))) };
}

function short(hash: string): string {
  return hash.slice(0, 12);
}

/** The counts of a model after steps, as plans state them. Computes only shapes and masks, not the numbers. */
export function expectedAfter(model: Model, steps: readonly Step[]): Expected {
  const { parameters, flops, bytes } = account(applySteps(outline(model), steps));
  return {
    parameters: parameters.total,
    nonzero: parameters.nonzero,
    flops: flops.effective,
    bytes: bytes.stored,
  };
}

/** The model with shapes but no numbers in its tensors, so that steps can be carried out on it cheaply. */
export function outline(model: Model): Model {
  const shapes = [...model.tensors].map(
    ([name, tensor]) => [name, { ...tensor, data: tensor.data.subarray(0, 0) }] as const,
  );
  return { ...model, tensors: new Map(shapes) };
}

/** A model while steps are carried out on it: axes and graph do not change, everything else changes in place. */
interface Draft {
  readonly model: Model;
  readonly tensors: Map<string, TensorData>;
  readonly masks: Map<string, Mask>;
  readonly dimensions: Dimension[];
  /** The value of each tensor, by name. */
  readonly values: ReadonlyMap<string, ValueId>;
}

/** Carries out steps one after the other, without checking a digest. */
export function applySteps(model: Model, steps: readonly Step[]): Model {
  let draft = draftOf(model);
  for (const step of steps) {
    if (step.do === "mask") maskParameter(draft, step);
    else {
      // An earlier step may have emptied what fixed a dimension.
      if (!isFree(draft, step.dimension) && draft.dimensions.some(({ size }) => size === 0))
        draft = draftOf(finished(draft));
      removeIndices(draft, step);
    }
  }
  return finished(draft);
}

function draftOf(model: Model): Draft {
  return {
    model,
    tensors: new Map(model.tensors),
    masks: new Map(model.masks),
    dimensions: [...model.dimensions.list],
    values: new Map(model.graph.tensors.map(({ name, value }) => [name, value])),
  };
}

/** Builds the model from a draft, with the graph adapted to the new sizes. */
function finished({ model, tensors, masks, dimensions: list }: Draft): Model {
  const changed = { ...model, tensors, masks, dimensions: { axes: model.dimensions.axes, list } };
  const same = list.every(({ size }, i) => sameExtent(size, model.dimensions.list[i]!.size));
  return same ? changed : simplify(resized(changed, model.dimensions), model);
}

function isFree({ dimensions }: Draft, dimension: string): boolean {
  return dimensions.some(({ name, fixed }) => name === dimension && fixed === undefined);
}

function maskParameter({ model, tensors, masks }: Draft, step: MaskStep): void {
  const spec = model.graph.tensors.find(({ name }) => name === step.parameter);
  const parameters = () =>
    model.graph.tensors.flatMap(({ name, role }) => (role === "trainable" ? [name] : []));
  if (spec === undefined) throw unknownName("parameter", step.parameter, parameters());
  if (spec.role !== "trainable") {
    throw new EspalierError(`"${step.parameter}" is a ${spec.role}; only trainable tensors can be masked.`);
  }
  const tensor = tensors.get(step.parameter)!;
  if (printShape(tensor.shape) !== printShape(step.keep.shape)) {
    throw new EspalierError(
      `the mask of "${step.parameter}" has shape ${printShape(step.keep.shape)}, the parameter ${printShape(tensor.shape)}.`,
    );
  }
  const divided = divisors(model).get(step.parameter);
  if (divided !== undefined && keptCount(step.keep) < tensor.data.length) {
    throw new EspalierError(
      `masking "${step.parameter}" would make node ${divided} divide by 0, so its outputs would be NaN. Leave that tensor out.`,
    );
  }
  const before = masks.get(step.parameter);
  const keep: Mask = before === undefined ? step.keep : intersect(before, step.keep);
  masks.set(step.parameter, keep);
  tensors.set(step.parameter, { ...tensor, data: applyMask(tensor.data as Float32Array, keep) });
}

/** Slices tensors and masks, and records the new size; the graph's shapes follow in `resized`. */
function removeIndices({ model, tensors, masks, dimensions, values }: Draft, step: RemoveStep): void {
  const number = dimensions.findIndex(({ name, fixed }) => name === step.dimension && fixed === undefined);
  const dimension = dimensions[number];
  if (dimension === undefined) {
    const fixed = dimensions.find(({ name }) => name === step.dimension)?.fixed;
    if (fixed !== undefined) throw new EspalierError(`dimension "${step.dimension}" is fixed: ${fixed}.`);
    throw unknownName(
      "dimension",
      step.dimension,
      dimensions.flatMap((d) => (d.fixed === undefined ? [d.name] : [])),
    );
  }
  const kept = keptIndices(step, dimension, number, dimensions);
  const sizes = (d: number): Extent => dimensions[d]!.size;
  const seen = new Set<string>();
  for (const { tensor: name, axis } of dimension.members) {
    // A dimension may occur twice in one axis; its positions are then computed together.
    if (seen.has(`${name}[${axis}]`)) continue;
    seen.add(`${name}[${axis}]`);
    const positions = keptPositions(model.dimensions.axes[values.get(name)!]![axis]!, kept, sizes);
    tensors.set(name, takeFromTensor(tensors.get(name)!, axis, positions));
    const old = masks.get(name);
    if (old !== undefined) masks.set(name, takeFromMask(old, axis, positions));
  }
  dimensions.forEach((d, i) => {
    if (d.within === number) dimensions[i] = aroundRemoved(d, kept);
  });
  dimensions[number] = {
    ...dimension,
    size: kept.lists[0]!.length,
    originalSize: dimension.originalSize ?? (dimension.size as number),
    original: originalIndices(dimension, kept),
  };
}

/** If a dimension has lists per index of another, they follow when indices of that one are removed. */
function aroundRemoved(dimension: Dimension, kept: Kept): Dimension {
  const { original } = dimension;
  if (original === undefined || typeof original[0] === "number" || original.length === 0) return dimension;
  return {
    ...dimension,
    original: kept.lists[0]!.map((index) => (original as readonly (readonly number[])[])[index]!),
  };
}

function keptIndices(
  step: RemoveStep,
  dimension: Dimension,
  number: number,
  list: readonly Dimension[],
): Kept {
  const size = dimension.size as number;
  if (step.extent !== size) {
    throw new EspalierError(
      `dimension "${step.dimension}" has ${size} indices, but the plan expects ${step.extent}.`,
    );
  }
  const nested = Array.isArray(step.indices[0]);
  const removed = (nested ? step.indices : [step.indices]) as readonly (readonly number[])[];
  if (nested) {
    const outer = dimension.within === undefined ? undefined : list[dimension.within]!.size;
    if (outer === undefined) {
      throw new EspalierError(
        `dimension "${step.dimension}" takes one list of indices, because it also occurs on its own.`,
      );
    }
    if (removed.length !== outer || removed.some((indices) => indices.length !== removed[0]!.length)) {
      throw new EspalierError(
        `dimension "${step.dimension}" needs ${outer} lists of indices, all of the same length.`,
      );
    }
  }
  const lists = removed.map((indices) => {
    const gone = new Set(indices);
    const sound =
      gone.size === indices.length && indices.every((i) => Number.isInteger(i) && i >= 0 && i < size);
    if (!sound)
      throw new EspalierError(
        `dimension "${step.dimension}": indices must be distinct and in 0 … ${size - 1}.`,
      );
    return Array.from({ length: size }, (_, i) => i).filter((i) => !gone.has(i));
  });
  return { dimension: number, lists, ...(nested ? { within: dimension.within! } : {}) };
}

function originalIndices(dimension: Dimension, kept: Kept): NonNullable<Dimension["original"]> {
  const before = dimension.original;
  const nestedBefore = before !== undefined && typeof before[0] !== "number" && before.length > 0;
  const trace = (list: readonly number[] | undefined, indices: readonly number[]) =>
    list === undefined ? indices : indices.map((i) => list[i]!);
  if (kept.within === undefined && !nestedBefore) {
    return trace(before as readonly number[] | undefined, kept.lists[0]!);
  }
  const count = nestedBefore ? before.length : kept.lists.length;
  return Array.from({ length: count }, (_, h) => {
    const list = nestedBefore ? (before[h] as readonly number[]) : (before as readonly number[] | undefined);
    return trace(list, kept.lists[kept.within === undefined ? 0 : h]!);
  });
}

/** The graph with the new shapes of its dimensions, and with attributes that repeat extents updated. */
function resized(model: Model, before: Dimensions): Model {
  const { graph } = model;
  const { list, axes } = model.dimensions;
  const size = (d: number): Extent => list[d]!.size;
  const oldSize = (d: number): Extent => before.list[d]!.size;
  const shapeOf = (value: number): Shape => axes[value]!.map((e) => extentOf(e, size));
  const values = graph.values.map(({ dtype }, value) => ({ dtype, shape: shapeOf(value) }));
  const nodes = graph.nodes.map((node) => {
    const attributes = node.operator.resize?.(node.attributes, {
      outputs: node.outputs.map((id) => values[id]!),
      position: (input, axis, at) => moved(axes[node.inputs[input]!]![axis]!, at, oldSize, size),
    });
    return attributes === undefined ? node : { ...node, attributes };
  });
  return { ...model, graph: { ...graph, values, nodes } };
}

/**
 * The new position of a border between the terms of an axis; a position inside a term can only lie in one that did not
 * change.
 */
function moved(
  e: Expression,
  at: number,
  before: (d: number) => Extent,
  after: (d: number) => Extent,
): number {
  const terms = typeof e === "number" || isProduct(e) ? [e] : e.sum;
  let from = 0;
  let to = 0;
  for (const term of terms) {
    const extent = extentOf(term, before) as number;
    const now = extentOf(term, after) as number;
    if (at < from + extent) return to + (at === from ? 0 : at - from);
    from += extent;
    to += now;
  }
  return to;
}
