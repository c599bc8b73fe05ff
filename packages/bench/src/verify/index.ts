import { join } from "node:path";
import { type Backend, EspalierError } from "@espalier/core";
import type { Registry } from "@espalier/recipe";
import { type Check, exists } from "./check.ts";
import { verifyReference } from "./reference.ts";
import { type TrainedOptions, verifyTrained } from "./trained.ts";

export type { Check } from "./check.ts";
export { verifyReference } from "./reference.ts";
export { type TrainedOptions, verifyTrained } from "./trained.ts";

/**
 * Compares PyTorch's numbers in a folder with those of a backend: vectors (`model.json`) or a trained checkpoint
 * (`result.json`).
 */
export async function verify(
  folder: string,
  registry: Registry,
  backend: Backend,
  options: TrainedOptions = {},
): Promise<readonly Check[]> {
  const has = (file: string) => exists(join(folder, file));
  if (await has("model.json")) return verifyReference(folder, registry, backend);
  if (await has("result.json")) return verifyTrained(folder, registry, backend, options);
  throw new EspalierError(
    `${folder}: not a folder of reference numbers, because it has neither model.json nor result.json.`,
  );
}
