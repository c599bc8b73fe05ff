import { type AlternateOptions, alternate, type Contender } from "@espalier/bench/measure";
import type { Tensors } from "@espalier/core";
import { relativeError } from "@espalier/core/testing";
import type { Loaded, Peer, Runnable } from "./peer.ts";
import type { PeerEntry, PeerRun } from "./results.ts";

interface Entrant extends Contender {
  readonly peer: string;
  readonly variant: string;
  readonly loaded: Loaded;
}

/** Peers with what they run, loaded side by side until all are disposed of. */
export class Field {
  /** How far outputs were from those expected, by entrant. */
  readonly agreement: PeerRun["agreement"] = [];
  readonly #entrants: Entrant[] = [];
  get size(): number {
    return this.#entrants.length;
  }

  /** Loads what a peer runs, runs it once, and notes how far its outputs are from those expected. Gives the outputs. */
  async enter(
    peer: Peer,
    variant: string,
    runnable: Runnable,
    inputs: Tensors,
    batch: number,
    expected?: Tensors,
  ): Promise<Tensors> {
    const loaded = await peer.load(runnable, batch);
    const name = `${peer.name} ${variant}`;
    let outputs: Tensors;
    try {
      outputs = await loaded.run(inputs);
    } catch (error) {
      await loaded.dispose();
      throw error;
    }
    this.#entrants.push({ name, peer: peer.name, variant, loaded, run: () => loaded.run(inputs) });
    const errors = [...(expected ?? outputs)].map(([key, tensor]) =>
      relativeError(outputs.get(key)!, tensor),
    );
    const error = Math.max(...errors);
    this.agreement.push({ peer: peer.name, variant, error: Number.isFinite(error) ? error : null });
    return outputs;
  }

  /** Times all, taking turns. */
  async time(options: AlternateOptions): Promise<PeerEntry[]> {
    const measurements = await alternate(this.#entrants, options);
    return this.#entrants.map(({ peer, variant }, i) => {
      const { timing, rounds } = measurements[i]!;
      return { peer, variant, alone: false, timing, rounds: rounds as [number, ...number[]] };
    });
  }

  async dispose(): Promise<void> {
    for (const { loaded } of this.#entrants.splice(0)) await loaded.dispose();
  }
}
