import { z } from "zod";

/** Options most models share, in rows of the data. */
export const lengths = {
  /** Rows the model sees. */
  inputLength: z.int().min(1).default(96),
  /** Rows it forecasts. */
  horizon: z.int().min(1).default(96),
  /** Series it sees and forecasts. */
  series: z.int().min(1).default(7),
};

/** A number of channels, heads or layers. */
export const width = z.int().min(1);
/** Share of values dropped in training. */
export const dropoutRatio = z.number().min(0).lt(1).default(0.1);

/** Heads share the width evenly. */
export function headsDivide(options: { readonly width: number; readonly heads: number }): boolean {
  return options.width % options.heads === 0;
}

/** The refusal of a width that heads cannot share. */
export const headsMessage = { message: "must be a multiple of heads", path: ["width"] };
