import { z } from "zod";

const left = z.number().positive().max(1);

/** What each metric may be asked to be. */
export const targetShares = {
  sparsity: z.number().min(0).lt(1).describe("Parameters that are zero or gone."),
  parameters: left.describe("Parameters left."),
  flops: left.describe("FLOPs left, zeros skipped."),
  bytes: left.describe("Bytes left, as stored."),
  latency: left.describe("Time of a call left, found by measuring."),
};

/** One target, or several that must all be met. */
export const targetSchema = z
  .strictObject(targetShares)
  .partial()
  .refine((target) => Object.values(target).some((share) => share !== undefined), {
    message: `names nothing: give one or more of ${Object.keys(targetShares).join(", ")}`,
  });
