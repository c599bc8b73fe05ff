import type { Form } from "@espalier/core/forms";
import * as forms from "@espalier/core/forms";
import { dateFormat } from "./format.ts";

/**
 * How a source writes its dates, so that the dates of a forecast are written in the same way. Plain data: a model's file
 * keeps it.
 */
export interface DateStyle {
  /** The columns that make up a date, and how each is written: mostly one, or a date and a time. */
  readonly columns: readonly { readonly name: string; readonly pattern: string }[];
  /**
   * Milliseconds that the written dates are ahead of UTC, where the source says so and it never changes; the zone's clock
   * may be another.
   */
  readonly offset?: number | undefined;
  /** The zone that the clock follows, by its IANA name, where it is known. */
  readonly zone?: string | undefined;
}

const { listOf, number, object, text } = forms;

/** The form of a {@link DateStyle} in a file. */
export const dateStyleForm: Form = object(
  { columns: listOf(object({ name: text, pattern: text }), 1) },
  { offset: number, zone: text },
  { open: true },
);

/** The style of dates without one: `2016-07-01 00:00:00`, or the date alone where all are midnights. */
export function plainStyle(timestamps: Float64Array): DateStyle {
  const clock = timestamps.some((time) => time % 86_400_000 !== 0);
  const fraction = timestamps.some((time) => time % 1000 !== 0) ? ".SSS" : "";
  return { columns: [{ name: "date", pattern: clock ? `yyyy-MM-dd HH:mm:ss${fraction}` : "yyyy-MM-dd" }] };
}

/** A moment's text in every column of a style. */
export function formatDate(style: DateStyle, wall: number, offset: number | undefined): string[] {
  const own = offset ?? style.offset ?? 0;
  const written = style.offset ?? own;
  return style.columns.map(({ pattern }) =>
    dateFormat(pattern).format({ wall: wall - own + written, offset: written }),
  );
}
