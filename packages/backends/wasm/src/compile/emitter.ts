import { EspalierError, type Graph, resolveShape, type ValueId } from "@espalier/core/inference";
import { unaryFunctions } from "../kernels/functions.ts";
import { alignment } from "../memory/blocks.ts";
import type { KernelName } from "../modules/names.ts";
import type { Slot, WasmState } from "../state.ts";
import type { Format } from "../weights/format.ts";
import type { PackedWeight } from "../weights/packed-weight.ts";
import type { Pitches } from "../weights/sparse-pack.ts";
import type { WeightSource } from "../weights/weight-source.ts";
import { type Argument, type Call, isPointer, type Pointer } from "./call.ts";
import type { HostWork, Phase, Step, Work } from "./step.ts";
import {
  asMatrix,
  contiguous,
  featureMajor,
  type Layout,
  layoutOf,
  type Matrix,
  place,
  rowMajor,
  type Storage,
  type View,
} from "./view.ts";
import { type Operand, walkOf } from "./walk.ts";

/** Packs weights: one per program, so that plans of several batch sizes share copies. */
export interface Weights {
  get(source: WeightSource, vectors: number, pitches: Pitches, formats: readonly Format[]): PackedWeight;
}

/** Whether and how training changes a tensor, which decides how its weight may be packed. */
export type PatternOf = (tensor: string) => WeightSource["pattern"];

export interface EmitterOptions {
  readonly graph: Graph;
  readonly state: WasmState;
  readonly batchSize: number;
  readonly weights: Weights;
  readonly wanted: ReadonlyMap<ValueId, Layout>;
  readonly patternOf: PatternOf;
}

/** State shared by the emitters of one plan. */
interface Draft extends EmitterOptions {
  readonly steps: Readonly<Record<Phase, Step[]>>;
  readonly constants: number[];
  readonly constantStorage: Storage;
  readonly views: Map<ValueId, View>;
  readonly fixed: WeakSet<Storage>;
  readonly copies: WeakMap<View, Map<string, View>>;
}

/**
 * Collects the calls of a plan for one node and one phase. Operators ask it for views of their inputs, room for
 * outputs, and calls.
 */
export class Emitter {
  /** The node that calls are made for; messages and descriptions name it. */
  readonly node: string;
  readonly phase: Phase;
  readonly #draft: Draft;

  private constructor(draft: Draft, node: string, phase: Phase) {
    this.#draft = draft;
    this.node = node;
    this.phase = phase;
  }

  /** Begins a plan. */
  static begin(options: EmitterOptions): Emitter {
    const draft: Draft = {
      ...options,
      steps: { fixed: [], main: [], update: [] },
      constants: [],
      constantStorage: { bytes: 0, kind: "arena", address: 0 },
      views: new Map(),
      fixed: new WeakSet(),
      copies: new WeakMap(),
    };
    return new Emitter(draft, "", "main");
  }

  /** An emitter for another node of the same plan. */
  at(node: string, phase: Phase = "main"): Emitter {
    return new Emitter(this.#draft, node, phase);
  }

  /** For the same node, at another time. */
  during(phase: Phase): Emitter {
    return phase === this.phase ? this : this.at(this.node, phase);
  }

  get graph(): Graph {
    return this.#draft.graph;
  }

  get state(): WasmState {
    return this.#draft.state;
  }

  get batchSize(): number {
    return this.#draft.batchSize;
  }

  get weights(): Weights {
    return this.#draft.weights;
  }

  get patternOf(): PatternOf {
    return this.#draft.patternOf;
  }

  get steps(): Readonly<Record<Phase, readonly Step[]>> {
    return this.#draft.steps;
  }

  /** Numbers that calls read (walks, settings); they become one block of memory. */
  get constants(): number[] {
    return this.#draft.constants;
  }

  get constantStorage(): Storage {
    return this.#draft.constantStorage;
  }

  get panelRows(): number {
    return this.state.heap.kernels.panelRows();
  }

  shape(value: ValueId): number[] {
    return resolveShape(this.graph.values[value]!.shape, this.batchSize);
  }

  view(value: ValueId): View {
    return this.#draft.views.get(value)!;
  }

  set(value: ValueId, view: View): void {
    this.#draft.views.set(value, view);
  }

  /** A tensor of the state as a value. `fixed`: this graph does not change it. */
  bindTensor(value: ValueId, slot: Slot, fixed: boolean): void {
    const storage: Storage = {
      bytes: 4 * slot.length,
      kind: "tensor",
      name: slot.name,
      address: slot.address,
    };
    if (fixed) this.#draft.fixed.add(storage);
    this.set(value, contiguous(storage, slot.shape));
  }

  isFixed(view: View): boolean {
    return this.#draft.fixed.has(view.storage);
  }

  storage(bytes: number): Storage {
    const storage: Storage = { bytes, kind: "arena", address: 0 };
    if (this.phase === "fixed") this.#draft.fixed.add(storage);
    return storage;
  }

  /** Room for a new value. */
  allocate(shape: readonly number[], layout: Layout): View {
    const { strides, elements } = place(shape, layout);
    const padded = layout.run < shape.length;
    return { storage: this.storage(4 * elements + (padded ? 16 : 0)), offset: 0, shape, strides, padded };
  }

  /** Room for a node's output as its readers want it, else as `otherwise` says. */
  output(value: ValueId, otherwise?: Layout): View {
    const shape = this.shape(value);
    const view = this.allocate(shape, this.#draft.wanted.get(value) ?? otherwise ?? rowMajor(shape.length));
    this.set(value, view);
    return view;
  }

  wanted(value: ValueId): Layout | undefined {
    return this.#draft.wanted.get(value);
  }

  /** Room that only the next call uses: for each thread its own. */
  scratch(bytes: number): Pointer {
    const { threads } = this.state.heap;
    if (threads === 1) return { storage: this.storage(bytes), bytes: 0 };
    const perThread = Math.ceil((bytes + alignment) / alignment) * alignment;
    return { storage: this.storage(threads * perThread), bytes: 0, perThread };
  }

  /** int32 numbers that a call reads. */
  integers(numbers: readonly number[]): Pointer {
    const bytes = 4 * this.constants.length;
    this.constants.push(...numbers);
    return { storage: this.constantStorage, bytes };
  }

  /** float32 numbers that a call reads. */
  floats(numbers: ArrayLike<number>): Pointer {
    const bytes = 4 * this.constants.length;
    for (const bits of new Int32Array(Float32Array.from(numbers).buffer)) this.constants.push(bits);
    return { storage: this.constantStorage, bytes };
  }

  floats64(numbers: readonly number[]): Pointer {
    if (this.constants.length % 2 === 1) this.constants.push(0);
    return this.integers([...new Int32Array(Float64Array.from(numbers).buffer)]);
  }

  /** The bits of a float32, among integers. */
  static bits(value: number): number {
    return new Int32Array(Float32Array.of(value).buffer)[0]!;
  }

  call(kernel: KernelName, ...args: readonly Argument[]): void {
    this.push({ kernel, args });
  }

  /** `macs`: multiply-adds of a dense product, for reports. */
  push(call: Call, macs = 0): void {
    this.#add({ kind: "kernel", call }, call.args.filter(isPointer), macs);
  }

  /** A call of JavaScript with the addresses of what it reads and writes. */
  host(pointers: readonly Pointer[], run: HostWork["run"]): void {
    this.#add({ kind: "host", pointers, run }, pointers, 0);
  }

  /** A call that depends on how a weight is packed. */
  weighted(weight: PackedWeight, touches: readonly Pointer[], macs: number, bind: () => Call): void {
    this.#add({ kind: "weight", weight, bind }, touches, macs);
  }

  #add(work: Work, touches: readonly Pointer[], macs: number): void {
    this.#draft.steps[this.phase].push({ node: this.node, work, touches, macs });
  }

  /** How a call walks over `first` (which it writes, or sums) and `others`, all of one shape. */
  walk(first: Operand, others: readonly Operand[], shape: readonly number[], padded = false): Pointer {
    return this.integers(walkOf(first, others, shape, padded));
  }

  /** The same numbers in another layout; made once. What is fixed is copied once for all runs. */
  copy(view: View, layout: Layout): View {
    const key = `${layout.order.join()}/${layout.run}`;
    const { copies } = this.#draft;
    const known = copies.get(view)?.get(key);
    if (known !== undefined) return known;
    const e = this.isFixed(view) ? this.during("fixed") : this;
    const made = e.allocate(view.shape, layout);
    e.copyInto(made, view);
    copies.set(view, (copies.get(view) ?? new Map<string, View>()).set(key, made));
    return made;
  }

  copyInto(to: View, from: View): void {
    const { dims, transposed } = copyWalk(to, from);
    if (transposed) this.call("transposed", this.integers(dims), pointer(to), pointer(from));
    else this.call("unary", unaryFunctions.Identity.code, this.integers(dims), pointer(to), pointer(from), 0);
  }

  /** A value as features × tokens, copied where it lies otherwise. */
  matrix(view: View): Matrix {
    const matrix = asMatrix(view);
    // A single token's features may lie side by side: kernels read whole vectors of tokens, which then are others'.
    if (matrix !== undefined) return matrix;
    return asMatrix(this.copy(view, featureMajor(view.shape.length)))!;
  }

  /** A vector whose elements are neighbours. */
  vector(view: View): Pointer {
    const straight = view.shape[0] === 1 || view.strides[0] === 1;
    return pointer(straight ? view : this.copy(view, rowMajor(1)));
  }

  fail(message: string): EspalierError {
    return new EspalierError(`backend wasm, node ${this.node}: ${message}`);
  }
}

export const pointer = ({ storage, offset }: View): Pointer => ({ storage, bytes: 4 * offset });

export { layoutOf };

/** A copy's walk: along rows of the target, or, where the source's neighbours lie across them, block by block. */
function copyWalk(to: View, from: View): { dims: number[]; transposed: boolean } {
  const dims = walkOf(to, [from], to.shape, to.padded);
  const rank = dims[0]!;
  const stride = (axis: number, operand: number) => dims[1 + 5 * axis + 1 + operand]!;
  if (rank < 2 || stride(rank - 1, 1) === 4 || stride(rank - 1, 1) === 0 || stride(rank - 1, 0) !== 4) {
    return { dims, transposed: false };
  }
  let across = -1;
  for (let axis = 0; axis < rank - 1; axis++) if (stride(axis, 1) === 4) across = axis;
  if (across < 0) return { dims, transposed: false };
  const axesOf = Array.from({ length: rank }, (_, axis) => dims.slice(1 + 5 * axis, 6 + 5 * axis));
  const [moved] = axesOf.splice(across, 1);
  axesOf.splice(rank - 2, 0, moved!);
  return { dims: [rank, ...axesOf.flat()], transposed: true };
}
