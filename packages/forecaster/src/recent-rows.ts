import { EspalierError } from "@espalier/core/inference";
import { stepOf, type Table } from "@espalier/datasets/inference";
import { checkRows } from "./rows.ts";

/** The last rows of a series that grows row by row. */
export class RecentRows {
  readonly #columns: readonly string[];
  readonly #values: Float64Array;
  readonly #times: Float64Array;
  #dated: boolean | undefined;
  /** Number of rows to remember. */
  rows = 0;

  constructor(columns: readonly string[], most: number) {
    this.#columns = columns;
    this.#values = new Float64Array(most * columns.length);
    this.#times = new Float64Array(most);
  }

  /** Appends a table of one row; the oldest row is dropped if there is no room. */
  push(row: Table): void {
    checkRows(row, 0);
    const dated = row.timestamps !== undefined;
    const last = this.#times.length - 1;
    if (this.rows > 0 && dated !== this.#dated) {
      throw new EspalierError("either every row of a stream has a timestamp, or none.");
    }
    if (this.rows > 0 && dated && row.timestamps![0]! <= this.#times[last]!) {
      throw new EspalierError(
        "this row is not later than the one before it. Push rows in the order of time.",
      );
    }
    const width = this.#columns.length;
    // The newest row is last, so that the remembered rows are always contiguous.
    this.#values.copyWithin(0, width);
    this.#values.set(row.values, last * width);
    this.#times.copyWithin(0, 1);
    this.#times[last] = row.timestamps?.[0] ?? 0;
    this.#dated = dated;
    this.rows = Math.min(this.rows + 1, last + 1);
  }

  /** All remembered rows, in arrays that the next row changes. */
  table(): Table {
    const skipped = this.#times.length - this.rows;
    const timestamps = this.#times.subarray(skipped);
    return {
      name: "rows given",
      columns: this.#columns,
      rows: this.rows,
      values: this.#values.subarray(skipped * this.#columns.length),
      ...(this.#dated && { timestamps, step: stepOf(timestamps) }),
    };
  }
}
