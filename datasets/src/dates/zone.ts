import { EspalierError } from "@espalier/core/inference";

const day = 86_400_000;
const formats = new Map<string, Intl.DateTimeFormat>();
const daily = new Map<string, number>();

/**
 * Milliseconds that a zone's clock is ahead of UTC at an instant.
 *
 * @throws EspalierError for a name that is none of a zone.
 */
export function offsetAt(zone: string, instant: number): number {
  // Within most days the offset is that of both ends: Intl is asked about once a day, not once a row.
  const start = Math.floor(instant / day) * day;
  const [before, after] = [startOffset(zone, start), startOffset(zone, start + day)];
  return before === after ? before : exactOffset(zone, instant);
}

function startOffset(zone: string, start: number): number {
  const key = `${zone} ${start}`;
  let offset = daily.get(key);
  if (offset === undefined) {
    offset = exactOffset(zone, start);
    daily.set(key, offset);
  }
  return offset;
}

function exactOffset(zone: string, instant: number): number {
  const parts = Object.fromEntries(
    formatOf(zone)
      .formatToParts(instant)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const { year, month, day: date, hour, minute, second } = parts as Record<string, number>;
  const wall = Date.UTC(year!, month! - 1, date, hour, minute, second);
  return wall - Math.floor(instant / 1000) * 1000;
}

function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known !== undefined) return known;
  const number = "numeric";
  try {
    const made = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      year: number,
      month: number,
      day: number,
      hour: number,
      minute: number,
      second: number,
    });
    formats.set(zone, made);
    return made;
  } catch (error) {
    throw new EspalierError(`time zone "${zone}" is not known. Give one such as Europe/Berlin.`, {
      cause: error,
    });
  }
}

/**
 * Offsets of a clock's readings, `[rows]`, in the order in which they came: of the hour that a zone has twice in autumn
 * the first comes first, for each of `ids` (a series, where a row holds one). `missing` is a reading that the zone's
 * clock never shows.
 */
export function offsetsOf(
  zone: string,
  walls: Float64Array,
  ids?: readonly string[],
): Float64Array | { readonly missing: number } {
  const offsets = new Float64Array(walls.length);
  const previous = new Map<string | undefined, number>();
  for (const [row, wall] of walls.entries()) {
    const around = [offsetAt(zone, wall - day), offsetAt(zone, wall + day)];
    const possible = around
      .filter((offset) => offsetAt(zone, wall - offset) === offset)
      .sort((a, b) => b - a);
    if (possible.length === 0) return { missing: row };
    const before = previous.get(ids?.[row]) ?? Number.NEGATIVE_INFINITY;
    const offset = possible.find((one) => wall - one > before) ?? possible.at(-1)!;
    offsets[row] = offset;
    previous.set(ids?.[row], wall - offset);
  }
  return offsets;
}

/**
 * A zone whose clock has these offsets at these instants, both `[rows]`, if they change at all: the offsets of rows to
 * come follow from it. Zones that agree on all of them differ at most in what has not happened.
 */
export function zoneOf(instants: Float64Array, offsets: Float64Array): string | undefined {
  const looked: number[] = [0, offsets.length - 1];
  for (let i = 1; i < offsets.length && looked.length < 40; i++)
    if (offsets[i] !== offsets[i - 1]) looked.push(i - 1, i);
  if (looked.length === 2) return undefined;
  // The most populous first: a reader knows their names.
  const first = [
    "Europe/Berlin",
    "Europe/London",
    "America/New_York",
    "America/Chicago",
    "America/Los_Angeles",
  ];
  const zones = [...first, ...Intl.supportedValuesOf("timeZone")];
  return zones.find((zone) => looked.every((i) => exactOffset(zone, instants[i]!) === offsets[i]));
}
