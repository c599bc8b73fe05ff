import type { Format, Rates } from "./cost.ts";

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
    panels: { perVector: 0.141, perBlock: 0, perRow: 0 },
    rows: { perVector: 0.219, perBlock: 0, perRow: 1.47 },
    pairs: { perVector: 0.268, perBlock: 0.379, perRow: 0 },
    quads: { perVector: 0.615, perBlock: 0, perRow: 0.17 },
  },
  gradients: { masked: { perVector: 0.278, perBlock: 0 }, dense: { perVector: 0.16, perBlock: 0.0626 } },
};
