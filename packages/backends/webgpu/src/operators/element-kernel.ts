import { type LiveNode, labelOf } from "@espalier/core/compile";
import { countElements, type ValueId } from "@espalier/core/graph";
import { Chain } from "../compile/chain.ts";
import type { Lowering } from "../compile/lowering.ts";
import type { Value } from "../compile/value.ts";
import type { Storage } from "../memory/storage.ts";
import { Index } from "../wgsl/index-space.ts";
import { type Writer, writeKernel } from "../wgsl/writer.ts";

/**
 * Operands of a kernel that may read an element many times: in memory, unless they are views or next to nothing. Fixed
 * parts are computed once.
 */
export function operandsInMemory(lowering: Lowering, { node, inputs }: LiveNode): readonly Value[] {
  const operands = inputs.map((id) => lowering.value(id));
  lowering.settle(operands, lowering.survey.isFixed(node.outputs[0]!));
  for (const operand of operands) if (operand.cost > 1) lowering.memory(operand);
  return operands;
}

/**
 * A kernel with one thread for each element of the node's first output, and what follows it. `element` writes lines and
 * gives WGSL of the element at a position.
 */
export function elementKernel(
  lowering: Lowering,
  live: LiveNode,
  operands: readonly Value[],
  element: (writer: Writer, index: Index) => string,
): void {
  const { node } = live;
  const [output] = node.outputs as [ValueId];
  const storages = new Set<Storage>();
  for (const operand of operands) operand.collectStorages(storages);
  const chain = Chain.behind(lowering, node, output, { storages });
  const shape = lowering.shapeOf(output);
  threadKernel(lowering, live, countElements(shape), (writer, id) => {
    const index = Index.flat(writer, shape, id);
    // Known before any loop, so that no loop computes them again.
    shape.forEach((_, axis) => {
      index.axis(axis);
    });
    chain.write(writer, index, 1, element(writer, index));
  });
}

/** A kernel of so many threads. */
export function threadKernel(
  lowering: Lowering,
  { node }: LiveNode,
  count: number,
  body: (writer: Writer, id: string) => void,
): void {
  const { limits, tiling } = lowering.settings;
  const kernel = writeKernel(labelOf(node), limits, (writer) => {
    if (tiling === "registers") writer.workgroup = [32, 1];
    const { id, workgroups } = writer.threads(count);
    body(writer, id);
    return workgroups;
  });
  lowering.emit(kernel, lowering.survey.isFixed(node.outputs[0]!));
}

/** Positions along one axis, for all positions of the others: what a thread that has a lane to itself walks along. */
export interface LaneWalk {
  readonly count: number;
  readonly extent: number;
  /** The position at step `at` of lane number `id`. */
  index(writer: Writer, id: string, at: string): Index;
}

export function lanesAlong(shape: readonly number[], axis: number): LaneWalk {
  const kept = shape.toSpliced(axis, 1);
  return {
    count: countElements(kept),
    extent: shape[axis]!,
    index(writer, id, at) {
      const lane = Index.flat(writer, kept, id);
      return new Index(writer, shape, {
        axis: (i) => (i === axis ? at : lane.axis(i < axis ? i : i - 1)),
      });
    },
  };
}
