import { EspalierError } from "@espalier/core/inference";
import type { Table } from "./table.ts";

/** How often a row comes, by pandas' letters: second, minute (t), hour, day, week, month, quarter, year. */
export type Frequency = "s" | "t" | "h" | "d" | "w" | "m" | "q" | "y";

/** Every frequency, for help texts and validation. */
export const frequencies: readonly Frequency[] = ["s", "t", "h", "d", "w", "m", "q", "y"];

/**
 * The frequency of a table's step: a step of 15 minutes counts as `t`, of 6 hours as `h`, of 30 days as `m`.
 *
 * @throws EspalierError if the step of the table is not known.
 */
export function frequencyOf(table: Table): Frequency {
  if (table.step === undefined) {
    throw new EspalierError(
      `data ${table.name}: has no dates, so no frequency. Give one, or do without time marks.`,
    );
  }
  const days = table.step.milliseconds / 86_400_000;
  if (days < 1 / 1440) return "s";
  if (days < 1 / 24) return "t";
  if (days < 1) return "h";
  if (days < 7) return "d";
  if (days < 28) return "w";
  if (days < 89) return "m";
  return days < 365 ? "q" : "y";
}

/** The frequency that a table's rows get time marks by; `false`, and so none, without dates or a step. */
export function marksFrequency(table: Table): Frequency | false {
  return table.step !== undefined && table.timestamps !== undefined && frequencyOf(table);
}
