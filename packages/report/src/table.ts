/** A column of a table: numbers are right-aligned. */
export interface Column {
  readonly label: string;
  readonly numeric?: boolean;
  /** A heading over this column and its neighbours of the same group. */
  readonly group?: string;
}

/** A table of text, before it is HTML or Markdown. */
export interface Table {
  readonly caption: string;
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly string[])[];
}
