import { loadProgram } from "@espalier/bench/measure";
import type { Backend, Model, Tensors } from "@espalier/core";
import type { Graph } from "@espalier/core/graph";

/** Work for a peer: a model, or a graph for training with its tensors. */
export interface Runnable {
  readonly graph: Graph;
  readonly tensors: Tensors;
  /** The model that it trains, for runtimes that have drawn it themselves. */
  readonly trains?: Model;
}

/** Something that runs models and is compared with others. */
export interface Peer {
  readonly name: string;
  /** Whether zeros in weights make it faster. One that is not runs no masked model: it would time the dense one again. */
  readonly sparse: boolean;
  /** Tasks that it can run. */
  readonly tasks: readonly ("forecast" | "training" | "compile")[];
  /** Models that it can run; all by default. */
  readonly models?: readonly string[];
  /** One line: version, and what it runs on. Throws an Error where it cannot run. */
  describe(): Promise<string>;
  load(runnable: Runnable, batch: number): Promise<Loaded>;
}

/** Made ready for one batch size. */
export interface Loaded {
  run(inputs: Tensors): Promise<Tensors>;
  dispose(): Promise<void> | void;
}

/** A backend of Espalier as a peer. */
export function backendPeer(backend: Backend, sparse: boolean): Peer {
  return {
    name: backend.name,
    sparse,
    tasks: ["forecast", "training", "compile"],
    async describe() {
      const { available, detail } = await backend.availability();
      if (!available) throw new Error(detail);
      return detail;
    },
    load: (runnable, batch) => loadProgram(runnable, backend, batch),
  };
}
