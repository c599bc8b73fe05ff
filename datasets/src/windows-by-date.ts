import { frequencyOf } from "./frequency.ts";
import type { RowRange, Table } from "./table.ts";
import { timeFeatures } from "./time-features.ts";
import { cutWindows, type WindowOptions, type WindowSet } from "./windows.ts";

/**
 * The windows that lie wholly inside a range of rows: (rows − inputLength − horizon) / stride + 1 of them, none if the
 * range is too short; those that reach across one of the table's breaks are left out. For validation and test give a
 * range {@link withHistory}.
 *
 * @param table values in the units that the model sees, so mostly a scaled table.
 * @throws EspalierError for options or a range that make no sense.
 */
export function windows(table: Table, range: RowRange, options: WindowOptions): WindowSet {
  const { timestamps, step } = table;
  const dated = options?.marks === undefined && timestamps !== undefined && step !== undefined;
  return cutWindows(
    table,
    range,
    dated ? { ...options, marks: timeFeatures(timestamps, frequencyOf(table)) } : options,
  );
}
