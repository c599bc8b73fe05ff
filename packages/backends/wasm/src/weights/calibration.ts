import type { Format, Rates } from "./cost.ts";

/** Placeholder until bench/calibrate.ts has run. */
export const calibration: {
  readonly machine: string;
  readonly date: string;
  readonly rates: Readonly<Record<Format, Rates>>;
  /** Each weight's gradient, alone where a mask is open, or of all weights in one product. */
  readonly gradients: Readonly<Record<"masked" | "dense", Pick<Rates, "perVector" | "perBlock">>>;
} = {
  machine: "estimate",
  date: "",
  rates: {
    panels: { perVector: 0.19, perBlock: 0.1, perRow: 1 },
    rows: { perVector: 0.25, perBlock: 0.1, perRow: 4 },
    pairs: { perVector: 0.36, perBlock: 0.2, perRow: 4 },
    quads: { perVector: 0.68, perBlock: 0.3, perRow: 4 },
  },
  gradients: { masked: { perVector: 0.4, perBlock: 2 }, dense: { perVector: 0.19, perBlock: 1 } },
};
