import type { GapRule, MissingRule, NaRule } from "@espalier/datasets";
import type { LoadOptions } from "@espalier/datasets/node";
import { type Command, InvalidArgumentError, Option } from "commander";
import { several } from "./values.ts";

const missing = ["error", "forward-fill", "interpolate", "drop"] as const satisfies readonly MissingRule[];
const gaps = ["warn", "error", "fill", "split"] as const satisfies readonly GapRule[];

/** How a CSV file is read, as the command line has it. */
export interface CsvOptionsGiven {
  readonly missing?: MissingRule;
  readonly gaps?: GapRule;
  readonly na?: NaRule[];
  readonly dateColumn?: string;
  readonly dateFormat?: string;
  readonly timeZone?: string;
  readonly delimiter?: string;
  readonly decimal?: "." | ",";
  readonly thousands?: string;
  readonly encoding?: string;
  readonly pivot?: string;
}

export function addCsv(command: Command): Command {
  return command
    .addOption(new Option("--missing <rule>", "what to do about missing values").choices(missing))
    .addOption(new Option("--gaps <rule>", "about rows that are not one step apart").choices(gaps))
    .option(
      "--na <values>",
      "marker of a missing value, such as -9999,x; column=values for one column; repeatable",
      several(naRule),
    )
    .option("--date-column <name>", 'the column of dates; "none" for none')
    .option("--date-format <pattern>", 'how dates are written, such as "dd/MM/yyyy HH:mm" (found out)')
    .option("--time-zone <name>", "a clock with summer time, such as Europe/Berlin")
    .option("--delimiter <text>", "what separates cells (found out)", delimiter)
    .addOption(new Option("--decimal <mark>", 'decimal mark, "." or "," (found out)').argParser(decimalMark))
    .option("--thousands <mark>", "what stands between thousands (found out)", mark)
    .option("--encoding <name>", "such as windows-1252 (found out)")
    .option("--pivot <column>", "the column that names the series, where a row holds one");
}

/** Those of a command's options that say how a CSV file is read, as the command line has them. */
export function csvGiven(options: CsvOptionsGiven): {
  readonly [K in keyof CsvOptionsGiven]-?: CsvOptionsGiven[K] | undefined;
} {
  const { missing, gaps, na, dateColumn, dateFormat, timeZone, delimiter, decimal } = options;
  const { thousands, encoding, pivot } = options;
  const reading = { missing, gaps, na, dateColumn, dateFormat, timeZone, delimiter, decimal };
  return { ...reading, thousands, encoding, pivot };
}

/** The same as the loader's options. */
export function csvOptions(options: CsvOptionsGiven): Pick<LoadOptions, keyof CsvOptionsGiven> {
  const { dateColumn, ...others } = csvGiven(options);
  return { ...others, dateColumn: dateColumn === "none" ? false : dateColumn };
}

function naRule(text: string): NaRule {
  const at = text.lastIndexOf("=");
  const values = text
    .slice(at + 1)
    .split(",")
    .map((value) => value.trim());
  if (values.some((value) => value === "") || at === 0)
    throw new InvalidArgumentError("Expected values, such as -9999,x, or column=-9999.");
  return { ...(at > 0 && { column: text.slice(0, at) }), values };
}

/** Shells give a backslash and a t where a tab is meant. */
function delimiter(text: string): string {
  if (text === "\\t" || text === "tab") return "\t";
  if (text === "") throw new InvalidArgumentError("Expected a mark.");
  return text;
}

function decimalMark(value: string): string {
  if (value !== "." && value !== ",") throw new InvalidArgumentError('Expected "." or ",".');
  return value;
}

function mark(value: string): string {
  if (value.length !== 1) throw new InvalidArgumentError('Expected one mark, such as ",".');
  return value;
}
