/**
 * Numbers as Espalier writes them, in reports, terminals and pages alike: three significant digits and a unit, a space
 * between, units of a thousand. Counts that somebody may want to check are whole, with commas.
 */

/** 1234567 → 1,234,567. */
export function formatCount(value: number): string {
  return value.toLocaleString("en-US");
}

/** 74840 → 74.8 k, if the exact count does not matter. */
export function formatShort(value: number): string {
  return scaled(value, ["", "k", "M", "G", "T"]);
}

/** 1050112 → 1.05 MFLOPs. */
export function formatFlops(value: number): string {
  return scaled(value, ["FLOPs", "kFLOPs", "MFLOPs", "GFLOPs", "TFLOPs"]);
}

/** 299364 → 299 kB. */
export function formatBytes(value: number): string {
  return scaled(value, ["B", "kB", "MB", "GB", "TB"]);
}

/** Milliseconds: 840 ns, 12.3 µs, 0.456 ms, 12.3 ms, 1.23 s. */
export function formatTime(milliseconds: number): string {
  if (milliseconds < 0.1 && milliseconds > 0) return scaled(1e6 * milliseconds, ["ns", "µs"]);
  return scaled(milliseconds, ["ms", "s"]);
}

const millisecondsIn = { ns: 1e-6, µs: 1e-3, ms: 1, s: 1e3 };

/** Milliseconds with their spread, both in the unit of the first: 93.8 ± 1.6 µs. */
export function formatTimeStat({ mean, spread }: { mean: number; spread: number }): string {
  const text = formatTime(mean);
  if (!(spread > 0)) return text;
  const [number, unit] = text.split(" ") as [string, keyof typeof millisecondsIn];
  return `${number} ± ${Number((spread / millisecondsIn[unit]).toPrecision(2))} ${unit}`;
}

/** Seconds of waiting: 0.84 s, 12.3 s, 4:05 min. */
export function formatDuration(seconds: number): string {
  if (seconds >= 60) return `${formatClock(seconds)} ${seconds >= 3600 ? "h" : "min"}`;
  return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
}

/** Seconds as 0:42, 12:03 or 1:02:03. */
export function formatClock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n: number) => `${n}`.padStart(2, "0");
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** 0.3002 → 30 %, with decimals where asked for. Nothing for what is no number. */
export function formatShare(share: number, decimals = 0): string {
  return Number.isFinite(share) ? `${(100 * share).toFixed(decimals)} %` : "";
}

/** The ratio of a number to what it was, as a change: 0.45 → −55.0 %, 1 → ±0 %. Nothing for what is no number. */
export function formatChange(ratio: number): string {
  const change = ratio - 1;
  const text = formatShare(Math.abs(change), Math.abs(change) < 10 ? 1 : 0);
  if (text === "0.0 %") return "±0 %";
  return text === "" ? "" : `${change < 0 ? "−" : "+"}${text}`;
}

/** 1.4142 → 1.41×. */
export function formatSpeedup(ratio: number): string {
  return `${speedupDigits(ratio)}×`;
}

/** Two decimals, and no more than three digits if it is 10 or more. */
function speedupDigits(ratio: number): string {
  return ratio.toFixed(ratio < 10 ? 2 : ratio < 100 ? 1 : 0);
}

/** A speed-up with its spread: 1.41 ± 0.02×. */
export function formatSpeedupStat({ mean, spread }: { mean: number; spread: number }): string {
  return spread > 0 ? `${speedupDigits(mean)} ± ${formatSpeedup(spread)}` : formatSpeedup(mean);
}

/** An error or a loss of any scale, four significant digits: 0.1310, 12.35, 12,346, 1.231e-5. */
export function formatError(value: number): string {
  if (!Number.isFinite(value)) return "not finite";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) return value.toExponential(3);
  return fixed(value, errorDecimals(size));
}

/** An error with its spread, to the same decimals: 0.1310 ± 0.0014. */
export function formatErrorStat({ mean, spread }: { mean: number; spread: number }): string {
  const text = formatError(mean);
  if (!(spread > 0)) return text;
  const plain = !text.includes("e") && Number.isFinite(mean);
  return `${text} ± ${plain ? fixed(spread, errorDecimals(Math.abs(mean))) : spread.toPrecision(2)}`;
}

/** 1 series, 2 epochs. */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${formatCount(n)} ${n === 1 ? one : many}`;
}

/** Three significant digits without trailing zeros, in the unit that leaves fewest of them before the point. */
function scaled(value: number, units: readonly string[]): string {
  let rest = value;
  let unit = 0;
  while (Math.abs(Number(rest.toPrecision(3))) >= 1000 && unit < units.length - 1) {
    rest /= 1000;
    unit++;
  }
  return `${Number(rest.toPrecision(3))} ${units[unit]}`.trimEnd();
}

/** Decimals that make four significant digits. */
function errorDecimals(size: number): number {
  return size === 0 ? 4 : Math.max(0, 3 - Math.floor(Math.log10(size)));
}

function fixed(value: number, decimals: number): string {
  return value.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

/** A timing that waited longer than this, as a share of its time, is not to be trusted. */
const disturbing = 0.1;

/** A warning about times, if other programs had the processor for a large share of the timing. */
export function timingRemark(waited: number): string | undefined {
  if (waited < disturbing) return undefined;
  return `Other programs had the processor for ${formatShare(waited)} of the timing, which slows large models down more than small ones: time again on a quiet machine.`;
}
