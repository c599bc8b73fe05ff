import type { Graph } from "./graph/graph.ts";
import type { TensorData } from "./graph/tensor.ts";

/** Whether a backend can run on this machine, and if not, what to do. */
export interface Availability {
  readonly available: boolean;
  /** One line: device and version, or what is missing and the command that installs it. */
  readonly detail: string;
  /** The GPU it runs on; absent if it runs on the processor. */
  readonly device?: string;
  /** Software stands in for the GPU: results are valid, times say nothing about any GPU. */
  readonly software?: boolean;
  /** Versions of the computing libraries, by name. */
  readonly versions?: Readonly<Record<string, string>>;
  /** Threads of the processor that a run may use. */
  readonly threads?: number;
  /** Vector instructions of the processor in use: `relaxed`, `128-bit`, `AVX-512`; or `none`. */
  readonly simd?: string;
  /** The command that installs what is missing, if anything is. */
  readonly command?: string;
}

/** Tensors by name. */
export type Tensors = ReadonlyMap<string, TensorData>;

/** Tensors that programs share: weights, running statistics, optimiser state. */
export interface State {
  readonly names: readonly string[];
  /** Returns copies of the named tensors (by default all). */
  read(names?: readonly string[]): Promise<Tensors>;
  /** Replaces tensors; shapes and types must stay the same. */
  write(tensors: Tensors): Promise<void>;
  /** Remembers the current values of tensors without leaving the device. */
  snapshot(names?: readonly string[]): Promise<Snapshot>;
  /** Counts the writes and updates of a tensor, so that packed copies know when they are stale. */
  version(name: string): number;
  /** Frees its memory; programs that use it can no longer run. */
  dispose(): void;
  /** Same as `dispose`; called by `using`. */
  [Symbol.dispose](): void;
}

/** Remembered values of tensors. */
export interface Snapshot {
  /** Restores the tensors to the remembered values; can be called repeatedly. */
  restore(): Promise<void>;
  /** Frees the remembered values. */
  dispose(): void;
  /** Same as `dispose`; called by `using`. */
  [Symbol.dispose](): void;
}

/** Options of compiling a graph. */
export interface CompileOptions {
  readonly state: State;
  /** Batch sizes to prepare for. */
  readonly batch?: readonly number[];
}

/** Options of a run. */
export interface RunOptions {
  /** Graph outputs to return; by default all. */
  readonly read?: readonly string[];
}

/** A graph compiled for one backend. Runs on the same State are executed one after the other. */
export interface Program {
  /** Takes inputs by name; their shapes determine the batch size. Updates are applied after all reads. */
  run(inputs: Tensors, options?: RunOptions): Promise<Tensors>;
  /** Describes the compiled program at a batch size, to show where time goes. Not every backend can. */
  describe?(batchSize: number): ProgramDescription;
  /** Frees its memory; the state it was compiled with remains. */
  dispose(): void;
  /** Same as `dispose`; called by `using`. */
  [Symbol.dispose](): void;
}

/** Description of a compiled program for one batch size. */
export interface ProgramDescription {
  /** Elements of the batch that are processed together. */
  readonly part: number;
  /** Number of threads, if more than one. */
  readonly threads?: number;
  /** Memory in addition to the state's tensors: intermediate values, packed weights, and values kept between runs. */
  readonly bytes: { readonly arena: number; readonly weights: number; readonly kept: number };
  readonly calls: readonly CallDescription[];
  /** Machine on which the rates behind `cost` were measured, which decide how weights are stored. */
  readonly rates?: string;
}

/** One call of a kernel. */
export interface CallDescription {
  /** Name of the node in the graph. */
  readonly node: string;
  readonly kernel: string;
  /** For products with a weight: storage format, and the share of nonzero weights. */
  readonly format?: string;
  readonly density?: number;
  /** Expected nanoseconds of one call on one thread, if a cost model exists. */
  readonly cost?: number;
  /** Number of parts that threads run in parallel; absent if one thread runs the call. */
  readonly parts?: number;
}

/** Runs graphs. */
export interface Backend {
  readonly name: string;
  /** Whether it can run on this machine. Loads what it needs to find out; never throws. */
  availability(): Promise<Availability>;
  /** Creates a state from copies of the tensors. */
  createState(tensors: Tensors): Promise<State>;
  /** Compiles a graph. Throws an EspalierError if the state lacks a tensor, or the backend an operator. */
  compile(graph: Graph, options: CompileOptions): Promise<Program>;
}
