import { EspalierError, type Model, type PruningPlan, planToJson, sparsity } from "@espalier/core";
import { encodeModel, writeOnnx } from "@espalier/formats";
import type { SavedFile, SaveFormat } from "../protocol.ts";

/** A pruned model, and how it came to be. */
export interface PrunedModel {
  readonly model: Model;
  readonly plan?: PruningPlan;
  /** Absent if it was not fine-tuned. */
  readonly how?: "tuned" | "found";
}

const binary = "application/octet-stream";

/** The model before pruning, `file` with another ending. */
export const denseFile = (file: string, model: Model): SavedFile =>
  fileOf(`${file}.safetensors`, binary, encodeModel(model));

/** A pruned model or its plan, under a name that says how it was pruned. Throws an EspalierError if it has no plan. */
export function prunedFile(
  file: string,
  { model, plan, how }: PrunedModel,
  format: Exclude<SaveFormat, "dense">,
): SavedFile {
  const words = [file, how, plan?.strategy.replace(/\(.*/, ""), Math.round(100 * sparsity(model))];
  const name = words.filter((word) => word !== undefined).join("-");
  if (format === "plan") {
    if (plan === undefined)
      throw new EspalierError("a model that was searched for has a recipe in place of a plan.");
    return fileOf(`${name}.plan.json`, "application/json", new TextEncoder().encode(planToJson(plan)));
  }
  if (format === "safetensors") return fileOf(`${name}.safetensors`, binary, encodeModel(model));
  return fileOf(`${name}.onnx`, binary, writeOnnx(model));
}

function fileOf(name: string, type: string, bytes: Uint8Array): SavedFile {
  return { name, type, bytes: new Uint8Array(bytes) };
}
