import { EspalierError } from "@espalier/core";
import { unknownName } from "@espalier/core/documents";
import type { Architecture } from "@espalier/core/graph";
import type { Registry } from "./registry.ts";
import type { UseConfig } from "./use.ts";

/**
 * Draws a model by name; lengths and series come from the data if the options leave them out. `weights`, a file, is the
 * caller's to load.
 */
export function drawModel(
  registry: Registry,
  use: UseConfig,
  data: { readonly inputLength?: number; readonly horizon?: number; readonly series?: number } = {},
): Architecture {
  const { use: name, label: _label, weights: _file, ...options } = use;
  const factory = registry.model(name);
  try {
    return factory({ ...pick(data), ...options });
  } catch (error) {
    const { shape } = factory.definition.options as { readonly shape?: object };
    throw optionError(error, `model "${name}"`, Object.keys(shape ?? {}));
  }
}

interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  /** Of a key that is not known. */
  readonly keys?: readonly string[];
}

/** A schema library's refusal as one line, with the nearest of the known options; other errors as they are. */
export function optionError(error: unknown, what: string, known: readonly string[] = []): unknown {
  const { issues } = error as { readonly issues?: readonly Issue[] };
  if (!Array.isArray(issues)) return error;
  const strange = issues.find(({ keys, path }: Issue) => keys !== undefined && path.length === 0)?.keys?.[0];
  if (strange !== undefined && known.length > 0) return unknownName(`${what}: option`, strange, known);
  const lines = issues
    .slice(0, 3)
    .map(({ path, message }: Issue) => `${path.map(String).join(".") || "options"}: ${message}`);
  return new EspalierError(`${what}: ${lines.join("; ")}.`);
}

/** The three lengths alone: what else the data's description holds is no option of a model. */
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
