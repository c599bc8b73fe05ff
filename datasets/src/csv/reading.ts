import { z } from "zod";
import { type DateStyle, dateStyle } from "../dates/style.ts";

/** What stands for a missing value, in every column or in the one that is named. */
export interface NaRule {
  readonly column?: string | undefined;
  /** Numbers are compared as numbers, all else as text in any case. */
  readonly values: readonly string[];
}

/** Checks a {@link NaRule}. */
export const naRule: z.ZodType<NaRule> = z.object({
  column: z.string().optional(),
  values: z.array(z.string()).min(1).readonly(),
});

/** How a CSV file was read: what was said of it and what was found out. Plain data: a model's file keeps it. */
export interface CsvReading {
  readonly delimiter: string;
  readonly decimal: "." | ",";
  readonly thousands?: string | undefined;
  /** Absent for UTF-8 and UTF-16. */
  readonly encoding?: string | undefined;
  /** How its dates are written; absent where it has none. */
  readonly dates?: DateStyle | undefined;
  /** What was said of it, and no file shows. */
  readonly dateColumn?: string | false | undefined;
  readonly dateFormat?: string | undefined;
  readonly timeZone?: string | undefined;
  readonly pivot?: string | undefined;
  readonly na?: readonly NaRule[] | undefined;
}

/** Checks a {@link CsvReading} that comes from a file. */
export const csvReading: z.ZodType<CsvReading> = z.object({
  delimiter: z.string().min(1),
  decimal: z.enum([".", ","]),
  thousands: z.string().optional(),
  encoding: z.string().optional(),
  dates: dateStyle.optional(),
  dateColumn: z.union([z.string(), z.literal(false)]).optional(),
  dateFormat: z.string().optional(),
  timeZone: z.string().optional(),
  pivot: z.string().optional(),
  na: z.array(naRule).readonly().optional(),
});
