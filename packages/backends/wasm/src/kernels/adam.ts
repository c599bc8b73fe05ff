import type { AdamInPlace, Operation, Survey } from "@espalier/core/compile";
import {
  type AdamAttributes,
  adamInputs,
  adamOperator,
  attributesOf,
  countElements,
  isCallOf,
  transposeOperator,
  type ValueId,
} from "@espalier/core/graph";
import { type Emitter, pointer } from "../compile/emitter.ts";
import { isContiguous, reshapeView, rowMajor, transposeView, type View } from "../compile/view.ts";
import { MaskedWeight } from "../weights/masked-weight.ts";
import { MaskedWeights } from "../weights/masked-weights.ts";
import type { WeightStore } from "../weights/weight-store.ts";
import type { NodeCall } from "./kernel.ts";

/** The mask that Adam keeps each tensor to. */
export function masksOf(
  { tensor, changes }: Survey,
  operations: readonly Operation[],
): ReadonlyMap<string, string> {
  return new Map(
    operations.flatMap((operation) => {
      if (operation.kind !== "adam") return [];
      const { parameter, mask } = adamInputs(operation.inputs);
      const kept = mask === undefined ? undefined : tensor(mask);
      return kept === undefined || changes(kept) ? [] : [[tensor(parameter)!, kept] as const];
    }),
  );
}

function adamSettings(e: Emitter, { beta1, beta2, epsilon, weightDecay }: AdamAttributes) {
  return e.floats64([beta1, beta2, epsilon, weightDecay]);
}

/** One call over neighbours; `inPlace`: results replace what they were computed from. */
export function emitAdam(
  e: Emitter,
  { inputs, node, attributes }: NodeCall<AdamAttributes>,
  inPlace: boolean,
): void {
  // Tensors always are; a gradient may lie otherwise.
  const straight = (id: ValueId) => {
    const view = e.view(id);
    return pointer(isContiguous(view) ? view : e.copy(view, rowMajor(view.shape.length)));
  };
  const { parameter, gradient, m, v, step, rate, mask = 0 } = adamInputs(inputs.map(straight));
  const out = inPlace
    ? [parameter, m, v]
    : node.outputs.map((id) => {
        const view = e.allocate(e.shape(id), rowMajor(e.shape(id).length));
        e.set(id, view);
        return pointer(view);
      });
  const settings = adamSettings(e, attributes);
  const n = countElements(e.shape(inputs[0]!));
  e.call("adam", n, parameter, gradient, m, v, mask, ...out, step, rate, settings);
}

/**
 * The optimiser's step, in place after all reads. Where a mask leaves little of a weight, its gradient is computed only
 * there: the rest of the product is never made.
 */
export function emitAdamInPlace(
  e: Emitter,
  { node, inputs, masked }: AdamInPlace,
  weights: WeightStore,
  emit: (operation: Operation) => void,
): void {
  const attributes = attributesOf(node, adamOperator);
  if (masked !== undefined) {
    const weight = maskedWeight(e, masked, inputs, weights);
    if (weight !== undefined) {
      const own = adamInputs(inputs);
      const [step, rate] = [own.step, own.rate].map((id) => pointer(e.view(id)));
      const after = e.during("update");
      const settings = adamSettings(after, attributes);
      const { parameter, gradient, m, v } = weight.address;
      const changed = [parameter, m, v];
      after.call(
        "adam",
        ...[weight.rows.values, parameter, gradient, m, v, 0, ...changed, step!, rate!, settings],
      );
      return;
    }
    for (const part of [masked.product, ...masked.chain]) emit(part);
  }
  emitAdam(e.during("update"), { node, inputs, attributes }, true);
}

/** Computes the gradient where the mask is open; undefined if the dense product is cheaper. */
function maskedWeight(
  e: Emitter,
  { product, chain }: NonNullable<AdamInPlace["masked"]>,
  inputs: readonly number[],
  weights: WeightStore,
): MaskedWeight | undefined {
  const [xt, dy] = product.inputs.map((id) => e.view(id)) as [View, View];
  const [tokens, N] = dy.shape as [number, number];
  const own = adamInputs(inputs);
  const matrix = backThrough(e, e.view(own.parameter), chain, [xt.shape[0]!, N]);
  if (matrix === undefined) return undefined;
  // Rows of tokens, features outermost: as forward and backward pass left them.
  const perm = [1, 0];
  const x = e.matrix(transposeView(xt, perm));
  const d = e.matrix(dy);
  if (x.pitch !== d.pitch) return undefined;
  const slot = (id: ValueId) => e.state.slot(e.view(id).storage.name!);
  const slots = { parameter: slot(own.parameter), m: slot(own.m), v: slot(own.v) };
  const [ks, ns] = matrix.strides as [number, number];
  const source = {
    slot: slots.parameter,
    offset: 4 * matrix.offset,
    ...{ N, K: xt.shape[0]!, ns: 4 * ns, ks: 4 * ks },
    pattern: { mask: slot(own.mask!) },
  };
  const weight = MaskedWeight.create(e.state.heap, slots, source, { pitch: d.pitch, tokens });
  if (weight === undefined) return undefined;
  weights.masked ??= new MaskedWeights();
  weights.masked.add(weight);
  const { address, count, rowStarts } = weight.rows;
  const touches = [pointer(d.view), pointer(x.view)];
  const args = [count, address.rows, address.offsets, ...touches, tokens, weight.address.gradient];
  e.push({ kernel: "maskedGradient", args, rowStarts });
  return weight;
}

/** The parameter as the product's matrix [K, N]: what transposes and reshapes did to the gradient, undone. */
function backThrough(
  e: Emitter,
  parameter: View,
  chain: NonNullable<AdamInPlace["masked"]>["chain"],
  shape: readonly number[],
): View | undefined {
  let view: View | undefined = parameter;
  for (const { node, inputs } of chain.toReversed()) {
    if (isCallOf(node, transposeOperator)) {
      const { perm } = node.attributes;
      view = transposeView(
        view,
        perm.map((_, axis) => perm.indexOf(axis)),
      );
    } else view = reshapeView(view, e.shape(inputs[0]!));
    if (view === undefined) return undefined;
  }
  return view.shape.join() === shape.join() ? view : undefined;
}
