import type { LiveNode, Survey } from "@espalier/core/compile";
import type { Node, ValueId } from "@espalier/core/graph";
import type { ElementType, Storage } from "../memory/storage.ts";
import type { Kernel, KernelLimits } from "../wgsl/writer.ts";
import type { Value } from "./value.ts";
import type { View } from "./view.ts";

/** How kernels divide their work: see `tilingFor`. */
export type Tiling = "registers" | "workgroup";

export interface LoweringSettings {
  readonly limits: KernelLimits;
  readonly tiling: Tiling;
  /** Activations and packed weights are stored in 16 bits. */
  readonly half: boolean;
  /** Memory of a tensor of the state. */
  tensor(name: string): Storage;
  /** Share of the 16 × 16 blocks of a matrix that hold nothing but zeros. */
  zeroBlocks(storage: Storage): number;
}

/** A graph at one batch size as kernels in order. */
export interface Lowered {
  /** Compute what depends on tensors only that no run changes. */
  readonly fixed: readonly Kernel[];
  readonly kernels: readonly Kernel[];
  readonly inputs: readonly Storage[];
  /** Memory that must hold what it does until the run ends: outputs and updates. */
  readonly kept: readonly Storage[];
  /** The storage that holds the whole of a value, for an output or update. */
  whole(value: ValueId): Storage;
}

/** A graph on its way to kernels, as operators see it. */
export interface Lowering {
  readonly survey: Survey;
  readonly batchSize: number;
  readonly settings: LoweringSettings;
  shapeOf(id: ValueId): number[];
  typeOf(id: ValueId): "f32" | "i32";
  /** Whether an axis of a value grows with the batch. */
  growsWithBatch(id: ValueId, axis: number): boolean;
  value(id: ValueId): Value;
  /** Whether a value has been computed, or drawn as an expression, by now. */
  isKnown(id: ValueId): boolean;
  isDone(node: Node): boolean;
  /** Says that a node needs no kernel of its own. */
  markDone(node: Node): void;
  define(id: ValueId, value: Value): void;
  /** Defines a value that is in memory from now on. */
  defineStored(id: ValueId, label: string, view: View): void;
  /** New memory, row-major. */
  allocate(label: string, shape: readonly number[], type: ElementType, fixed: boolean): View;
  emit(kernel: Kernel, fixed: boolean): void;
  /** The value in memory, computed now if it is not. `half`: 16 bits will do, where the device is asked to use them. */
  memory(value: Value, half?: boolean): View;
  /** Operands of a node that changes from run to run: what is fixed about them is computed once. */
  settle(operands: readonly Value[], fixed: boolean): void;
  /** Stores operands until reading them all touches few enough buffers; `more` are needed beside them. */
  limitStorages(operands: readonly Value[], more: number): void;
  /**
   * Memory of the tensor that `output` replaces when the run ends, if the node may write it immediately: `own` is that
   * tensor's old value, and neither an output nor a later node reads it.
   */
  replacedTensor(live: LiveNode, output: ValueId, own: ValueId): View | undefined;
  /** Says that a kernel writes a value where the tensor is that it replaces. */
  markReplacing(output: ValueId): void;
}
