/** 1234567 as `1,234,567`. */
export function count(n: number): string {
  return n.toLocaleString("en-US");
}

/** A share as `58.4 %`. */
export function percent(share: number, digits = 1): string {
  return Number.isFinite(share) ? `${(100 * share).toFixed(digits)} %` : "";
}

/** A change as `+2.6 %`; with a real minus sign. */
export function change(from: number, to: number): string {
  const share = to / from - 1;
  if (!Number.isFinite(share)) return "";
  const text = percent(Math.abs(share), Math.abs(share) < 10 ? 1 : 0);
  return text === "0.0 %" ? text : `${share < 0 ? "−" : "+"}${text}`;
}

/** Bytes as `438.5 kB`. */
export function bytes(n: number): string {
  return scaled(n, 1000, ["B", "kB", "MB", "GB"]);
}

/** Operations as `1.53 M`. */
export function operations(n: number): string {
  return scaled(n, 1000, ["", "k", "M", "G", "T"]);
}

function scaled(n: number, base: number, units: readonly string[]): string {
  let value = n;
  let unit = 0;
  while (value >= base && unit < units.length - 1) {
    value /= base;
    unit++;
  }
  const digits = unit === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${units[unit]}`.trim();
}

/** An error or a loss with at least four digits: decimals that stand under each other for numbers of one size. */
export function measure(x: number): string {
  const size = Math.abs(x);
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) return x.toExponential(3);
  const digits = size < 10 ? 4 : size < 100 ? 3 : size < 1000 ? 2 : 1;
  return x.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** Seconds as `0:42`, `12:03` or `1:02:03`. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n: number) => `${n}`.padStart(2, "0");
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** Seconds as `0.84 s`, `12.3 s` or `4:05 min`. */
export function duration(seconds: number): string {
  if (seconds >= 60) return `${clock(seconds)} ${seconds >= 3600 ? "h" : "min"}`;
  return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
}

/** `1 series`, `2 epochs`. */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}
