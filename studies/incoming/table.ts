import { EspalierError } from "@espalier/core";
import { z } from "zod";

const reason = z.string().min(1);

/** Findings on a file that its exporter wrote and ONNX Runtime runs. */
const outcome = z.discriminatedUnion("in", [
  z.strictObject({ in: z.literal(false), why: reason }),
  z.strictObject({
    in: z.literal(true),
    /** ‖difference‖ ÷ ‖expected‖ of the outputs here and in PyTorch. */
    error: z.number(),
    /** Whether the batch varies: the reason where it does not. */
    openBatch: z.union([z.literal(true), reason]),
    /** Heads, and other indices, that can be removed. */
    heads: z.int().min(0),
    channels: z.int().min(0),
    /** Whether half of the heads, of the channels and of the weights go rightly: the reason where they do not. */
    pruned: z.union([z.literal(true), reason]),
    /** The same error of a file that goes out again, in ONNX Runtime; or the reason why it does not. */
    roundTrip: z.union([z.number(), reason]),
  }),
]);

/** See {@link outcome}. */
export type Outcome = z.infer<typeof outcome>;

const about = {
  library: z.string().min(1),
  model: z.string().min(1),
  /** Sizes and options of the model: see the library's file beside export.py. */
  configuration: z.string().min(1),
  exporter: z.enum(["TorchScript", "torch.export"]),
};

const row = z.union([
  z.strictObject({ ...about, exported: z.literal(true), outcome }),
  z.strictObject({ ...about, exported: z.literal(false), why: reason }),
]);

/** A model, an exporter, and what became of it. */
export type Row = z.infer<typeof row>;

const table = z.strictObject({ format: z.literal(1), torch: z.string(), rows: z.array(row).min(1) });

/** Findings on all models, as results/incoming.json holds them. */
export type IncomingTable = z.infer<typeof table>;

/** Reads a table. Throws an EspalierError that names the place for any other file. */
export function parseIncoming(text: string, name = "incoming.json"): IncomingTable {
  const parsed = table.safeParse(JSON.parse(text));
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  throw new EspalierError(`${name}, ${path.join(".")}: ${message}.`);
}
