import type { CsvError } from "#csv-parse";

/** How cells are told apart: for every reading of a text. */
export function cellOptions(text: string, delimiter: string) {
  // Blanks around quotes are no part of the cell. Looking for them takes time, and a delimiter may be a blank itself.
  const trim = !/\s/.test(delimiter) && (text.includes(`${delimiter} "`) || text.includes(`" ${delimiter}`));
  return {
    delimiter,
    record_delimiter: ["\r\n", "\n", "\r"],
    relax_column_count: true,
    trim,
  };
}

/** A quote to the end of the file, or for too long. */
export const notClosed =
  'a quote opens here and is not closed. Delete it, or close the cell with another (").';

/** What is wrong with the quotes of the row at which a reading ended. */
export function quoteFault({ code, message }: CsvError): string {
  if (code === "CSV_QUOTE_NOT_CLOSED" || code === "CSV_MAX_RECORD_SIZE") return notClosed;
  if (code === "INVALID_OPENING_QUOTE") {
    return 'a quote stands in the middle of a cell. Delete it, or put the cell in quotes and double those within ("").';
  }
  if (code === "CSV_INVALID_CLOSING_QUOTE") {
    return 'text follows a closing quote. Is a quote before it not closed? Within a cell in quotes they are doubled ("").';
  }
  return `cannot be read as CSV: ${message}.`;
}
