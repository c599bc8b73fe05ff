import type { Backend, Model, Tensors } from "@espalier/core";
import { loadProgram } from "../measure/latency.ts";

/** Something that runs models and is compared with others. */
export interface Peer {
  readonly name: string;
  /** Whether zeros in weights make it faster. One that is not runs no masked model: it would time the dense one again. */
  readonly sparse: boolean;
  /** One line: version and what it runs on. Throws where it cannot run. */
  describe(): Promise<string>;
  load(model: Pick<Model, "graph" | "tensors">, batch: number): Promise<Loaded>;
}

/** A model made ready. */
export interface Loaded {
  run(inputs: Tensors): Promise<Tensors>;
  dispose(): Promise<void> | void;
}

/** A backend of Espalier as a peer. */
export function backendPeer(backend: Backend, sparse: boolean): Peer {
  return {
    name: backend.name,
    sparse,
    async describe() {
      const { available, detail } = await backend.availability();
      if (!available) throw new Error(detail);
      return detail;
    },
    load: (model, batch) => loadProgram(model, backend, batch),
  };
}
