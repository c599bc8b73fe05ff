import { z } from "zod";
import { type MissingRule, missingRules } from "../missing.ts";

/** How a CSV file is read. Everything has a default that fits a file with a header and commas. */
export interface CsvOptions {
  /** Whether the first row holds names. Default: it does, unless all its cells are numbers or dates. */
  readonly header?: boolean | undefined;
  /** Names of all cells of a row, for files without a header. Default: `series_1`, `series_2`, … */
  readonly columnNames?: readonly string[] | undefined;
  /**
   * The column of dates; `false` for none. Default: one named date, time, timestamp, datetime or ds; else the first
   * whose first row holds a date.
   */
  readonly dateColumn?: string | false | undefined;
  /** The series to read, in this order; what stands in other columns is not looked at. Default: all. */
  readonly series?: readonly string[] | undefined;
  /** What separates cells. Default `,`. */
  readonly delimiter?: string | undefined;
  /** The decimal mark. Default `.`. */
  readonly decimal?: "." | "," | undefined;
  /** What to do about missing values. Default `error`. */
  readonly missing?: MissingRule | undefined;
  /** Numbers that stand for a missing value, such as -9999. Default: none. */
  readonly sentinels?: readonly number[] | undefined;
  /** Bounds that no file may pass: columns (default 10 000) and cells over all rows (default 100 million). */
  readonly limits?:
    | { readonly columns?: number | undefined; readonly cells?: number | undefined }
    | undefined;
}

/** The options with their defaults filled in. */
export interface CsvSettings {
  readonly header?: boolean | undefined;
  readonly columnNames?: readonly string[] | undefined;
  readonly dateColumn?: string | false | undefined;
  readonly series?: readonly string[] | undefined;
  readonly delimiter: string;
  readonly decimal: "." | ",";
  readonly missing: MissingRule;
  readonly sentinels: readonly number[];
  readonly limits: { readonly columns: number; readonly cells: number };
}

const names = z.array(z.string()).min(1).readonly();
const count = z.int().positive();

/** Checks {@link CsvOptions} and fills in the defaults. */
export const csvOptions: z.ZodType<CsvSettings> = z
  .strictObject({
    header: z.boolean().optional(),
    columnNames: names.optional(),
    dateColumn: z.union([z.string(), z.literal(false)]).optional(),
    series: names.optional(),
    delimiter: z.string().min(1).default(","),
    decimal: z.enum([".", ","]).default("."),
    missing: z.enum(missingRules).default("error"),
    sentinels: z.array(z.number()).readonly().default([]),
    limits: z
      .strictObject({ columns: count.default(10_000), cells: count.default(100_000_000) })
      .prefault({}),
  })
  .refine((o) => o.decimal !== o.delimiter, {
    message: "decimal and delimiter are the same",
    path: ["decimal"],
  });
