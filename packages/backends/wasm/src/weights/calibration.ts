import type { Format, Rates } from "./format.ts";

/** Nanoseconds, written by bench/calibrate.ts: do not edit. Only their ratios matter, which differ little between machines. */
export const calibration: {
  readonly machine: string;
  readonly date: string;
  readonly rates: Readonly<Record<Format, Rates>>;
  /** Each weight's gradient, alone where a mask is open, or of all weights in one product. */
  readonly gradients: Readonly<Record<"masked" | "dense", Pick<Rates, "perVector" | "perBlock">>>;
} = {
  machine: "AMD EPYC, Node 24.21.0, relaxed SIMD",
  date: "2026-11-24",
  rates: {
    panels: { perVector: 0.104, perBlock: 0.0723, perRow: 2.86 },
    rows: { perVector: 0.204, perBlock: 0.0232, perRow: 1.93 },
    pairs: { perVector: 0.2, perBlock: 0.527, perRow: 1.24 },
    quads: { perVector: 0.227, perBlock: 0.759, perRow: 2.29 },
  },
  gradients: { masked: { perVector: 0.278, perBlock: 0 }, dense: { perVector: 0.156, perBlock: 0.0988 } },
};
