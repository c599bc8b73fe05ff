import { z } from "zod";

const left = z.number().positive().max(1);

/** Bounds of each metric. */
export const targetShares = {
  sparsity: z.number().min(0).lt(1).describe("Parameters that are zero or removed."),
  parameters: left.describe("Parameters that remain."),
  flops: left.describe("FLOPs that remain, zeros skipped."),
  bytes: left.describe("Bytes that remain, as stored."),
  latency: left.describe("Time per call that remains, found by measuring."),
};

/** One target, or several that must all be met. */
export const targetSchema = z
  .strictObject(targetShares)
  .partial()
  .refine((target) => Object.values(target).some((share) => share !== undefined), {
    message: `names nothing: give one or more of ${Object.keys(targetShares).join(", ")}`,
  });
