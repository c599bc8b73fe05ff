import { EspalierError } from "@espalier/core";
import type { Architecture } from "@espalier/core/graph";
import { type Frequency, markCount, marksFrequency, type Table, windowShapeOf } from "@espalier/datasets";
import type { Registry } from "./registry.ts";
import type { UseConfig } from "./use.ts";

/** What a model takes from the data that it is drawn for. */
export interface DrawnFor {
  readonly inputLength?: number | undefined;
  readonly horizon?: number | undefined;
  readonly series?: number | undefined;
  /** The frequency that the rows' time marks are made for; `false` if they have none. */
  readonly frequency?: Frequency | false | undefined;
}

/** What a model takes from a table. */
export function drawnFor(table: Table): Required<Pick<DrawnFor, "series" | "frequency">> {
  return { series: table.columns.length, frequency: marksFrequency(table) };
}

/**
 * Draws a model by name; lengths, series and the width of time marks come from the data unless the options set them.
 * A model that takes no marks by default gets none. Loading `weights`, a file, is up to the caller.
 *
 * @throws EspalierError for options that make no sense, or set another number of marks than the data's rows have.
 */
export function drawModel(registry: Registry, use: UseConfig, data: DrawnFor = {}): Architecture {
  const { use: name, label: _label, weights: _file, ...options } = use;
  const factory = registry.model(name);
  const { frequency, ...lengths } = data;
  const known = Object.fromEntries(Object.entries(lengths).filter(([, value]) => value !== undefined));
  const drawn = factory({ ...known, ...options });
  const own = (drawn.options as { readonly marks?: unknown }).marks;
  if (frequency === undefined || typeof own !== "number" || own === 0) return drawn;
  const wanted = frequency === false ? 0 : markCount(frequency, windowShapeOf(drawn.graph).calendar);
  if (wanted === own) return drawn;
  if (options.marks === undefined) return factory({ ...known, ...options, marks: wanted });
  throw new EspalierError(
    `model "${drawn.name}", marks: the data's rows have ${wanted} time marks, not ${own}. Drop the option.`,
  );
}
