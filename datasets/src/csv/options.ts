import * as forms from "@espalier/core/forms";
import { z } from "zod";
import { type GapRule, gapRules } from "../gap-rules.ts";
import { type MissingRule, missingRules } from "../missing.ts";
import { formed } from "../options.ts";
import { type CsvReading, type NaRule, naRuleForm, readingForm } from "./reading.ts";

/**
 * How a CSV file is read. Everything has a default, or is found out from the file. Messages name an option as the command
 * line has it: `--date-format` is `dateFormat`.
 */
export interface CsvOptions {
  /** Whether the first row holds names. Default: it does, unless all its cells are numbers or dates. */
  readonly header?: boolean | undefined;
  /** Names of all cells of a row, for files without a header. Default: `series_1`, `series_2`, … */
  readonly columnNames?: readonly string[] | undefined;
  /**
   * The column of dates; `false` for none. Default: one named date, time, timestamp, datetime or ds; else the first
   * whose first row holds a date; a column of dates and one of times together; or year, month and day.
   */
  readonly dateColumn?: string | false | undefined;
  /** How dates are written: a pattern such as `dd/MM/yyyy HH:mm`, see `dateFormat`. Default: found out. */
  readonly dateFormat?: string | undefined;
  /** The zone of a clock that follows summer time, by its IANA name. Default: none is known. */
  readonly timeZone?: string | undefined;
  /** The series to read, in this order; what stands in other columns is not looked at. Default: all. */
  readonly series?: readonly string[] | undefined;
  /** Delimiter of cells. Default: detected; a comma if nothing can be detected. */
  readonly delimiter?: string | undefined;
  /** The decimal mark. Default: found out; a point where there is nothing to find. */
  readonly decimal?: "." | "," | undefined;
  /** Separator between thousands. Default: detected; none if nothing can be detected. */
  readonly thousands?: string | undefined;
  /** The text's encoding, such as `utf-8` or `windows-1252`. Default: found out. */
  readonly encoding?: string | undefined;
  /** The column that says which series a row is of, for files with one row for each series and moment. */
  readonly pivot?: string | undefined;
  /** Handling of missing values. Default `error`. */
  readonly missing?: MissingRule | undefined;
  /** Handling of rows that are not one step apart. Default `warn`. */
  readonly gaps?: GapRule | undefined;
  /** Numbers that stand for a missing value, such as -9999. Default: none. */
  readonly sentinels?: readonly number[] | undefined;
  /** Texts and numbers that stand for a missing value, in every column or in one. */
  readonly na?: readonly NaRule[] | undefined;
  /** How an earlier file of the kind was read: decides where this one leaves it open. */
  readonly like?: CsvReading | undefined;
  /** Bounds that no file may pass: columns (default 10 000) and cells over all rows (default 100 million). */
  readonly limits?:
    | { readonly columns?: number | undefined; readonly cells?: number | undefined }
    | undefined;
}

/** The options with their defaults filled in. */
export interface CsvSettings extends CsvOptions {
  readonly missing: MissingRule;
  readonly gaps: GapRule;
  readonly sentinels: readonly number[];
  readonly na: readonly NaRule[];
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
    dateFormat: z.string().min(1).optional(),
    timeZone: z.string().min(1).optional(),
    series: names.refine((list) => new Set(list).size === list.length, "a series is named twice").optional(),
    delimiter: z.string().min(1).optional(),
    decimal: z.enum([".", ","]).optional(),
    thousands: z.string().length(1).optional(),
    encoding: z.string().optional(),
    pivot: z.string().optional(),
    missing: z.enum(missingRules).default("error"),
    gaps: z.enum(gapRules).default("warn"),
    sentinels: z.array(z.number()).readonly().default([]),
    na: formed<readonly NaRule[]>(forms.listOf(naRuleForm)).default([]),
    like: formed<CsvReading>(readingForm).optional(),
    limits: z
      .strictObject({ columns: count.default(10_000), cells: count.default(100_000_000) })
      .prefault({}),
  })
  .refine((o) => o.decimal === undefined || o.decimal !== o.delimiter, {
    message: "decimal and delimiter are the same",
    path: ["decimal"],
  })
  .refine((o) => o.thousands === undefined || o.thousands !== o.decimal, {
    message: "thousands and decimal are the same",
    path: ["thousands"],
  });
