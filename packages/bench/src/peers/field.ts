import { EspalierError, type Tensors } from "@espalier/core";
import { relativeError } from "@espalier/core/testing";
import { type AlternateOptions, alternate, type Contender } from "../measure/alternate.ts";
import type { Loaded, Peer, Runnable } from "./peer.ts";
import type { PeerEntry, PeerRun } from "./results.ts";

/** Largest relative error between outputs of two peers: beyond it one of them computes something else. */
const tolerance = 1e-4;

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
  readonly #where: string;

  constructor(where: string) {
    this.#where = where;
  }

  get size(): number {
    return this.#entrants.length;
  }

  /**
   * Loads what a peer runs, and runs it once. Gives the outputs. Throws an EspalierError where they are not those
   * expected: times of different computations say nothing.
   */
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
    this.#entrants.push({ name, peer: peer.name, variant, loaded, run: () => loaded.run(inputs) });
    const outputs = await loaded.run(inputs);
    const error = Math.max(
      ...[...(expected ?? outputs)].map(([key, tensor]) => relativeError(outputs.get(key)!, tensor)),
    );
    if (!(error <= tolerance)) {
      throw new EspalierError(
        `${this.#where}: outputs of ${name} differ by ${error.toPrecision(2)} of their size from those of the others (allowed: ${tolerance}).`,
      );
    }
    this.agreement.push({ peer: peer.name, variant, error });
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
