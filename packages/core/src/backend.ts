import type { Graph } from "./graph/graph.ts";
import type { TensorData } from "./graph/tensor.ts";

/** Whether a backend can run on this machine, and what to do where it cannot. */
export interface Availability {
  readonly available: boolean;
  /** One line: device and version, or what is missing and the command that gets it. */
  readonly detail: string;
  /** The GPU it runs on; absent where it runs on the processor. */
  readonly device?: string;
  /** A program stands in for the GPU: its results count, its times say nothing about any GPU. */
  readonly software?: boolean;
  /** What computes, with its version, by name. */
  readonly versions?: Readonly<Record<string, string>>;
  /** Threads of the processor that a run may use. */
  readonly threads?: number;
  /** Vector instructions of the processor that are used: `relaxed`, `128-bit`, `AVX-512`; `none`. */
  readonly simd?: string;
  /** Where something is missing: the one command that gets it. */
  readonly command?: string;
}

/** Tensors by name. */
export type Tensors = ReadonlyMap<string, TensorData>;

/** The tensors programs share: weights, running statistics, optimiser state. */
export interface State {
  readonly names: readonly string[];
  /** Copies of the tensors named (all by default). */
  read(names?: readonly string[]): Promise<Tensors>;
  /** Replaces tensors; shapes and types must be what they were. */
  write(tensors: Tensors): Promise<void>;
  /** Remembers the tensors as they are, without leaving the device. */
  snapshot(names?: readonly string[]): Promise<Snapshot>;
  /** Counts the writes and updates of a tensor, so that packed copies know when they are stale. */
  version(name: string): number;
  /** Frees its memory; its programs must not be run any more. */
  dispose(): void;
  /** As `dispose`: `using` calls it. */
  [Symbol.dispose](): void;
}

/** Tensors as they once were. */
export interface Snapshot {
  /** Puts the tensors back as they were; as often as wanted. */
  restore(): Promise<void>;
  /** Frees what was remembered. */
  dispose(): void;
  /** As `dispose`: `using` calls it. */
  [Symbol.dispose](): void;
}

/** What a graph is compiled with. */
export interface CompileOptions {
  readonly state: State;
  /** Batch sizes to prepare for. */
  readonly batch?: readonly number[];
}

/** What a run gives back. */
export interface RunOptions {
  /** Graph outputs to bring back; all by default. */
  readonly read?: readonly string[];
}

/** A graph made ready for one backend. Runs on one State go one after the other. */
export interface Program {
  /** Inputs by name; the batch size follows from their shapes. Updates are applied after all reads. */
  run(inputs: Tensors, options?: RunOptions): Promise<Tensors>;
  /** What the graph became at a batch size, for those who want to know where time goes; not every backend can tell. */
  describe?(batchSize: number): ProgramDescription;
  /** Frees its memory; the state it was compiled with stays. */
  dispose(): void;
  /** As `dispose`: `using` calls it. */
  [Symbol.dispose](): void;
}

/** What a backend runs for one batch. */
export interface ProgramDescription {
  /** Elements of the batch that are run at a time. */
  readonly part: number;
  /** Threads that run it together, where there is more than one. */
  readonly threads?: number;
  /** Memory beside the state's tensors: intermediate values, packed weights, and values kept between runs. */
  readonly bytes: { readonly arena: number; readonly weights: number; readonly kept: number };
  readonly calls: readonly CallDescription[];
}

/** One call of a kernel. */
export interface CallDescription {
  /** Name of the graph's node. */
  readonly node: string;
  readonly kernel: string;
  /** Of products with a weight: how it is stored, and its share of weights that are not zero. */
  readonly format?: string;
  readonly density?: number;
  /** Expected nanoseconds of one call on one thread, where a cost model knows. */
  readonly cost?: number;
  /** Parts it is divided into, which threads run at once; left out where one thread runs it. */
  readonly parts?: number;
}

/** Something that runs graphs. */
export interface Backend {
  readonly name: string;
  /** Whether it can run here. Loads what it needs for the answer; never throws. */
  availability(): Promise<Availability>;
  /** Takes copies of the tensors. */
  createState(tensors: Tensors): Promise<State>;
  /** Makes a graph ready. Throws an EspalierError where the state lacks a tensor, or the backend an operator. */
  compile(graph: Graph, options: CompileOptions): Promise<Program>;
}
