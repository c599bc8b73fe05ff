import { quantile } from "@espalier/bench/measure";

/** Three significant digits, without an exponent or trailing zeros. */
function short(value: number): string {
  return String(Number(value.toPrecision(3)));
}

function scaled(value: number, base: number, units: readonly string[]): string {
  let rest = value;
  let unit = 0;
  while (Math.abs(Number(rest.toPrecision(3))) >= base && unit < units.length - 1) {
    rest /= base;
    unit++;
  }
  return `${short(rest)}${units[unit]}`;
}

/** 74840 → 74.8k. */
export function formatCount(value: number): string {
  return scaled(value, 1000, ["", "k", "M", "G", "T"]);
}

/** 1050112 → 1.05 MFLOPs. */
export function formatFlops(value: number): string {
  return scaled(value, 1000, [" FLOPs", " kFLOPs", " MFLOPs", " GFLOPs", " TFLOPs"]);
}

/** 299364 → 292 KiB. */
export function formatBytes(value: number): string {
  return scaled(value, 1024, [" B", " KiB", " MiB", " GiB", " TiB"]);
}

/** Milliseconds; seconds from 1000 on. */
export function formatTime(milliseconds: number): string {
  return milliseconds >= 999.5 ? `${short(milliseconds / 1000)} s` : `${short(milliseconds)} ms`;
}

/** 0.3002 → 30 %; one decimal where asked for. */
export function formatShare(share: number, decimals = 0): string {
  return `${(100 * share).toFixed(decimals)} %`;
}

/** What is left as a change: 0.45 → −55 %. */
export function formatChange(ratio: number): string {
  const percent = Math.round(100 * (ratio - 1));
  if (percent === 0) return "±0 %";
  return `${percent < 0 ? "−" : "+"}${Math.abs(percent)} %`;
}

/** 1.4142 → 1.41×. */
export function formatSpeedup(ratio: number): string {
  return `${ratio.toFixed(2)}×`;
}

/** A speed-up with its spread: 1.41 ± 0.02×. */
export function formatSpeedupStat({ mean, spread }: { mean: number; spread: number }): string {
  return spread > 0 ? `${mean.toFixed(2)} ± ${formatSpeedup(spread)}` : formatSpeedup(mean);
}

/** Errors of any scale, four significant digits. */
export function formatError(value: number): string {
  return Number.isFinite(value) ? value.toPrecision(4) : "not finite";
}

/** An error with its spread, to the same decimals: 0.1310 ± 0.0014. */
export function formatErrorStat({ mean, spread }: { mean: number; spread: number }): string {
  const text = formatError(mean);
  if (!(spread > 0)) return text;
  const decimals = /^-?\d*\.(\d+)$/.exec(text)?.[1]?.length;
  return `${text} ± ${decimals === undefined ? spread.toPrecision(2) : spread.toFixed(decimals)}`;
}

/** A number with its spread, where it has one. */
export function withSpread(
  format: (value: number) => string,
  { mean, spread }: { mean: number; spread: number },
): string {
  return spread > 0 ? `${format(mean)} ± ${format(spread)}` : format(mean);
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}
