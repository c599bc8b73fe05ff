import { InvalidArgumentError } from "commander";

/** Parsers of option values. Commander turns what they throw into one line that names the option. */

export interface Range {
  readonly from?: number;
  /** Exclusive lower bound. */
  readonly above?: number;
  readonly to?: number;
}

export function wholeNumber({
  from = 0,
  to = Number.MAX_SAFE_INTEGER,
}: Range = {}): (text: string) => number {
  return (text) => {
    const n = toNumber(text);
    if (!(Number.isSafeInteger(n) && n >= from && n <= to)) {
      throw new InvalidArgumentError(`Expected a whole number, ${from} or more.`);
    }
    return n;
  };
}

export function positive(text: string): number {
  const n = toNumber(text);
  if (!(n > 0 && Number.isFinite(n))) throw new InvalidArgumentError("Expected a number above 0.");
  return n;
}

/** A share, such as a sparsity. Only checks that it is a number; the option's user checks the bounds. */
export function share(text: string): number {
  const n = toNumber(text);
  if (!Number.isFinite(n)) throw new InvalidArgumentError("Expected a share, such as 0.8.");
  // Probably meant as a percentage. Closer to 1 there is nothing to guess, and the bounds check reports it.
  if (n >= 2 && n <= 100) throw new InvalidArgumentError(`It is outside [0, 1]. Did you mean ${n / 100}?`);
  return n;
}

/** Three shares that sum to 1. */
export function splits(text: string): { shares: [number, number, number] } {
  const numbers = text.split(",").map(toNumber);
  if (numbers.length !== 3 || numbers.some((n) => !(n >= 0 && n <= 1))) {
    throw new InvalidArgumentError("Expected three shares, such as 0.7,0.1,0.2.");
  }
  return { shares: numbers as [number, number, number] };
}

/** Shares to prune by, separated by commas. */
export function amounts(text: string): number[] {
  const numbers = text.split(",").map(toNumber);
  if (numbers.some((n) => !(n > 0 && n < 1)))
    throw new InvalidArgumentError("Expected shares between 0 and 1, such as 0.5,0.9.");
  return numbers;
}

export function names(text: string): string[] {
  const list = text.split(",").map((name) => name.trim());
  if (list.some((name) => name === ""))
    throw new InvalidArgumentError("Expected names, separated by commas.");
  return list;
}

/** Series names, separated by commas; a name that contains a comma goes in double quotes. Repeating the option adds names. */
export function seriesNames(text: string, before: readonly string[] = []): string[] {
  const cells = text.match(/"(?:[^"]|"")*"|[^,]+/g) ?? [];
  const list = cells.map((cell) =>
    cell.trim().replace(/^"(.*)"$/, (_, inner: string) => inner.replaceAll('""', '"')),
  );
  const all = [...before, ...list];
  if (
    list.length === 0 ||
    list.some((name) => name === "") ||
    /,\s*(,|$)/.test(text.replace(/"[^"]*"/g, "x"))
  )
    throw new InvalidArgumentError("Expected names, separated by commas.");
  const twice = all.find((name, i) => all.indexOf(name) !== i);
  if (twice !== undefined) throw new InvalidArgumentError(`"${twice}" is named twice.`);
  return all;
}

/** Collects the values of a repeatable option. */
export function several<T>(
  parse: (text: string) => T,
): (text: string, before: readonly T[] | undefined) => T[] {
  return (text, before = []) => [...before, parse(text)];
}

/** A setting `key=value`; the value is still text. */
export interface Assignment {
  readonly key: string;
  readonly value: string;
}

export function assignment(text: string): Assignment {
  const at = text.indexOf("=");
  if (at <= 0) throw new InvalidArgumentError("Expected key=value.");
  return { key: text.slice(0, at).trim(), value: text.slice(at + 1) };
}

export const text = (value: string): string => value;

function toNumber(value: string): number {
  return value.trim() === "" ? Number.NaN : Number(value);
}
