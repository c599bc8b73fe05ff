import type { Architecture } from "@espalier/core/graph";
import type { Registry } from "./registry.ts";
import type { UseConfig } from "./use.ts";

/**
 * Draws a model by name; lengths and series come from the data unless the options set them. Loading `weights`, a file,
 * is up to the caller.
 */
export function drawModel(
  registry: Registry,
  use: UseConfig,
  data: { readonly inputLength?: number; readonly horizon?: number; readonly series?: number } = {},
): Architecture {
  const { use: name, label: _label, weights: _file, ...options } = use;
  const factory = registry.model(name);
  return factory({ ...pick(data), ...options });
}

/** Only the three lengths: the rest of the data's description is not an option of a model. */
function pick({
  inputLength,
  horizon,
  series,
}: Parameters<typeof drawModel>[2] & object): Record<string, number> {
  return Object.fromEntries(
    Object.entries({ inputLength, horizon, series }).filter(
      (entry): entry is [string, number] => entry[1] !== undefined,
    ),
  );
}
