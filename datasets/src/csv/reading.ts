import type { Form } from "@espalier/core/forms";
import * as forms from "@espalier/core/forms";
import { type DateStyle, dateStyleForm } from "../dates/style.ts";

const { count, either, listOf, object, oneOf, such, text } = forms;

/** Markers for a missing value, in every column or in a named one. */
export interface NaRule {
  readonly column?: string | undefined;
  /** Numbers are compared as numbers, all else as text in any case. */
  readonly values: readonly string[];
}

/** The form of a {@link NaRule}. */
export const naRuleForm: Form = object({ values: listOf(text, 1) }, { column: text });

/** How a CSV file was read: what was said of it and what was found out. Plain data: a model's file keeps it. */
export interface CsvReading {
  readonly delimiter: string;
  readonly decimal: "." | ",";
  readonly thousands?: string | undefined;
  /** Cells of a row without names above, which only their places tell apart. */
  readonly cells?: number | undefined;
  /** Absent for UTF-8 and UTF-16. */
  readonly encoding?: string | undefined;
  /** How its dates are written; absent if it has none. */
  readonly dates?: DateStyle | undefined;
  /** Given options that a file does not reveal. */
  readonly dateColumn?: string | false | undefined;
  readonly dateFormat?: string | undefined;
  readonly timeZone?: string | undefined;
  readonly pivot?: string | undefined;
  readonly na?: readonly NaRule[] | undefined;
}

/** The form of a {@link CsvReading} in a file. */
export const readingForm: Form = object(
  { delimiter: text, decimal: oneOf(".", ",") },
  {
    thousands: text,
    encoding: text,
    cells: count,
    dates: dateStyleForm,
    dateColumn: either(
      "a column's name, or false",
      text,
      such("false", (value) => value === false),
    ),
    dateFormat: text,
    timeZone: text,
    pivot: text,
    na: listOf(naRuleForm),
  },
  { open: true },
);
