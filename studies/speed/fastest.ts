import { ratioOf } from "@espalier/bench/measure";
import type { PeerRun } from "../peers/index.ts";
import { entryOf } from "../peers/results.ts";
import { type Findings, forecastsAsWell, type Outcome } from "./outcomes.ts";

const own = "wasm";

/** Runtimes and models that the fastest pruned model is compared with. */
export const contenders = [
  { label: "own dense", peer: own, dense: true },
  { label: "dense, ONNX Runtime web", peer: "onnxruntime-web", dense: true },
  { label: "dense, ONNX Runtime native", peer: "onnxruntime-node", dense: true },
  { label: "the same model, ONNX Runtime native", peer: "onnxruntime-node", dense: false },
] as const;

/** The fastest model that forecasts as well as the reference, at a batch size. */
export interface Fastest {
  readonly outcome: Outcome;
  /** Median time of a call. */
  readonly milliseconds: number;
  /** How many times as fast as each of the `contenders`; undefined for one that was not timed. */
  readonly speedups: readonly (number | undefined)[];
}

/** The fastest of the pruned models that forecast as well as the reference. Undefined if none does, or none was timed. */
export function fastestIn(findings: Findings, run: PeerRun): Fastest | undefined {
  const timed = findings.pruned.flatMap((outcome) => {
    const entry = forecastsAsWell(outcome, findings) && entryOf(run, own, outcome.recipe);
    return entry ? [{ outcome, entry }] : [];
  });
  const [best] = timed.sort((a, b) => a.entry.timing.median - b.entry.timing.median);
  if (best === undefined) return undefined;
  const { outcome, entry } = best;
  return {
    outcome,
    milliseconds: entry.timing.median,
    speedups: contenders.map(({ peer, dense }) => {
      const other = entryOf(run, peer, dense ? "dense" : outcome.recipe);
      return other && ratioOf(other, entry).median;
    }),
  };
}
