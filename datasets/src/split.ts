import { EspalierError } from "@espalier/core";
import { z } from "zod";
import { parseOptions } from "./options.ts";
import type { RowRange, Table } from "./table.ts";

/** Training, validation and test, one after the other in time: as numbers of rows, or as shares that sum to 1. */
export type SplitRule =
  | { readonly rows: readonly [train: number, validation: number, test: number] }
  | { readonly shares: readonly [train: number, validation: number, test: number] };

/** The three parts of a table. None overlaps another; see {@link withHistory} for the rows that a window looks back on. */
export interface Split {
  readonly train: RowRange;
  readonly validation: RowRange;
  readonly test: RowRange;
}

/** The split of the literature for data without one of its own: 0.7, 0.1, 0.2. */
export const defaultSplit: SplitRule = { shares: [0.7, 0.1, 0.2] };

const rows = z.int().nonnegative();
const share = z.number().min(0).max(1);

/** Checks a {@link SplitRule}. */
export const splitRule: z.ZodType<SplitRule> = z.union(
  [
    z.strictObject({ rows: z.tuple([rows.positive(), rows, rows]).readonly() }),
    z.strictObject({
      shares: z
        .tuple([share.positive(), share, share])
        .readonly()
        .refine(([a, b, c]) => Math.abs(a + b + c - 1) < 1e-9, "expected shares that sum to 1"),
    }),
  ],
  { error: "expected { rows: [train, validation, test] }, or { shares: […] } that sum to 1" },
);

/**
 * Cuts a table in three. Shares are rounded as Time-Series-Library does: training and test down, validation the rest.
 *
 * @throws EspalierError if the rule asks for more rows than there are.
 */
export function splitOf(table: Table, rule: SplitRule = defaultSplit): Split {
  const checked = parseOptions("splitOf", splitRule, rule);
  const [train, validation, test] = "rows" in checked ? checked.rows : rowsOf(table.rows, checked.shares);
  const needed = train + validation + test;
  if (needed > table.rows) {
    throw new EspalierError(
      `data ${table.name}: ${table.rows} rows, the split needs ${needed} (${train} + ${validation} + ${test}). Give other splits.`,
    );
  }
  return {
    train: { start: 0, end: train },
    validation: { start: train, end: train + validation },
    test: { start: train + validation, end: needed },
  };
}

function rowsOf(
  total: number,
  [trainShare, , testShare]: readonly [number, number, number],
): [number, number, number] {
  const train = Math.floor(total * trainShare);
  const test = Math.floor(total * testShare);
  return [train, total - train - test, test];
}

/**
 * A range with the rows before it that its first window looks back on, as the literature has it: the first target of
 * the range is its own first row. At the start of the table there are none to add.
 */
export function withHistory(range: RowRange, inputLength: number): RowRange {
  return { start: Math.max(0, range.start - inputLength), end: range.end };
}
