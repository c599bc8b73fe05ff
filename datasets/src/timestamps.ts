const day = 86_400_000;

const time = String.raw`(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?\s*(?:Z|UTC|[+-]\d{2}:?\d{2})?`;
const yearFirst = new RegExp(String.raw`^(\d{4})([-/.])(\d{1,2})\2(\d{1,2})${time}$`);
const dayFirst = new RegExp(String.raw`^(\d{1,2})\.(\d{1,2})\.(\d{4})${time}$`);

/**
 * Reads a date as the wall clock shows it, in milliseconds as if that clock were UTC; `undefined` for anything else.
 * Year first with `-`, `/` or `.` (`2016-07-01 00:00:00`, `1990/1/1 0:00`, `2016-07-01T00:00Z`), or day first with
 * dots (`01.07.2016 00:10`). A time zone is read over, since hours of the day are what a forecaster learns from;
 * `24:00` is the next midnight. Slashes with the year last are ambiguous, and not read.
 */
export function parseTimestamp(text: string): number | undefined {
  const a = yearFirst.exec(text);
  if (a) return assemble(a[1]!, a[3]!, a[4]!, a.slice(5));
  const b = dayFirst.exec(text);
  if (b) return assemble(b[3]!, b[2]!, b[1]!, b.slice(4));
  return undefined;
}

function assemble(
  y: string,
  m: string,
  d: string,
  clock: readonly (string | undefined)[],
): number | undefined {
  const [hour = 0, minute = 0, second = 0] = clock.slice(0, 3).map((part) => Number(part ?? 0));
  const fraction = Math.floor(Number(`0.${clock[3] ?? 0}`) * 1000);
  const midnight = new Date(0);
  midnight.setUTCFullYear(Number(y), Number(m) - 1, Number(d));
  const exists = midnight.getUTCMonth() === Number(m) - 1 && midnight.getUTCDate() === Number(d);
  const inDay = hour * 3_600_000 + minute * 60_000 + second * 1000 + fraction;
  if (!exists || minute > 59 || second > 59 || inDay > day) return undefined;
  return midnight.getTime() + inDay;
}
