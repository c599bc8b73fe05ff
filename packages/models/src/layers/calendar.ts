import { float32 } from "@espalier/core";
import { add, type Builder, gather, normal, reshape, slice, type Value } from "@espalier/core/graph";
import { sinusoids } from "./positions.ts";

/** How time marks are embedded. */
export type TimeEmbedding = "linear" | "fixed" | "learned";

/** Calendar numbers: their place among the marks, and how many values each can have. */
const tables = [
  { name: "hour", mark: 3, rows: 24 },
  { name: "weekday", mark: 2, rows: 7 },
  { name: "day", mark: 1, rows: 32 },
  { name: "month", mark: 0, rows: 13 },
  { name: "minute", mark: 4, rows: 4 },
];

/**
 * Time-Series-Library's `TemporalEmbedding`: a table for each calendar number, summed. marks int32 [N, L, 4 or 5]: month
 * (1 to 12), day of the month (1 to 31), weekday (Monday 0), hour, and quarter of the hour → [N, L, width].
 */
export function calendarEmbedding(
  b: Builder,
  name: string,
  marks: Value,
  width: number,
  kind: Exclude<TimeEmbedding, "linear">,
): Value {
  const [n, length, count] = marks.shape;
  const layer = b.scope(name);
  return tables
    .filter(({ mark }) => mark < (count as number))
    .map(({ name: field, mark, rows }) => {
      const table =
        kind === "learned"
          ? layer.parameter(`${field}_embed.weight`, [rows, width], normal)
          : layer.buffer(`${field}_embed.emb.weight`, float32([rows, width], sinusoids(rows, width)));
      const positions = reshape(layer, slice(layer, marks, 2, mark, mark + 1), [n!, length!]);
      return gather(layer, table, positions, 0);
    })
    .reduce((sum, embedded) => add(layer, sum, embedded));
}
