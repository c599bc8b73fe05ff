/** Numbers as the page says them. */

const whole = new Intl.NumberFormat("en");
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

/** 1234567 as `1,234,567`. */
export const count = (n: number): string => whole.format(n);

/** 1234567 as `1.23 M`. */
export const short = (n: number): string => compact.format(n).replace(/(?<=\d)(?=[A-Z])/, " ");

/** Bytes as `438 kB`. */
export const bytes = (n: number): string => {
  const unit = Math.min(3, n < 1000 ? 0 : Math.floor(Math.log10(n) / 3));
  return `${Number((n / 1000 ** unit).toPrecision(3))} ${["B", "kB", "MB", "GB"][unit]}`;
};

/** A share as `58.4 %`. */
export const percent = (share: number, digits = 1): string => `${(100 * share).toFixed(digits)} %`;

/** A change as `−47 %`, with a real minus sign. */
export const change = (from: number, to: number): string => {
  const share = to / from - 1;
  const text = percent(Math.abs(share), 1);
  return text === "0.0 %" ? "±0 %" : `${share < 0 ? "−" : "+"}${text}`;
};

/** Milliseconds with three digits: `0.123 ms`, `12.3 ms`, `1.23 s`. */
export const duration = (milliseconds: number): string =>
  milliseconds >= 1000 ? `${(milliseconds / 1000).toPrecision(3)} s` : `${milliseconds.toPrecision(3)} ms`;

/** A value of a series with about four digits. */
export const value = (x: number): string => {
  const size = Math.abs(x);
  return size >= 1000
    ? whole.format(Math.round(x))
    : size >= 100
      ? x.toFixed(1)
      : x.toFixed(size < 1 ? 3 : 2);
};

/** Timestamps read as if the wall clock were UTC: `9 Nov 2017, 14:00`. */
const dated = new Intl.DateTimeFormat("en-GB", {
  timeZone: "UTC",
  day: "numeric",
  month: "short",
  year: "numeric",
  hour: "2-digit",
  minute: "2-digit",
});
const days = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", day: "numeric", month: "short" });

export const moment = (timestamp: number): string => dated.format(timestamp);
export const day = (timestamp: number): string => days.format(timestamp);
