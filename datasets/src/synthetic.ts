import { randomStream } from "@espalier/core/graph";
import { z } from "zod";
import type { LoadedDataset } from "./forecasting.ts";
import { parseOptions } from "./options.ts";
import { defaultSplit } from "./split.ts";
import { durationLabel } from "./step.ts";
import type { Table } from "./table.ts";

/** The synthetic series: hourly, with trends, days, weeks and leaders that others follow. */
export interface SyntheticOptions {
  /** Number of series. Default 7. */
  readonly series?: number | undefined;
  /** Hours. Default 4000. */
  readonly rows?: number | undefined;
  /** Default 1. */
  readonly seed?: number | undefined;
  /** Standard deviation of the noise; the seasons have amplitudes of about 1. Default 0.25. */
  readonly noise?: number | undefined;
}

const syntheticOptions = z.strictObject({
  series: z.int().positive().max(10_000).default(7),
  rows: z.int().positive().max(1_000_000).default(4000),
  seed: z.int().default(1),
  noise: z.number().nonnegative().default(0.25),
});

const hour = 3_600_000;
/** Monday, 2024-01-01 00:00. */
const begin = 1_704_067_200_000;

/**
 * A multi-seasonal series that needs no file: the same numbers for the same options, on every machine.
 *
 * Each series is a slow trend + a day (two harmonics, flatter at weekends) + a week + autoregressive noise. Every
 * second one also follows the series before it, some hours later, so that looking at other series pays. Values have
 * four decimals.
 *
 * @returns a table of `rows` hours from Monday 2024-01-01 00:00, columns `s1`, `s2`, …
 * @throws EspalierError for options out of range.
 */
export function synthetic(options: SyntheticOptions = {}): Table {
  const { series, rows, seed, noise } = parseOptions("synthetic", syntheticOptions, options);
  const values = new Float64Array(rows * series);
  let leader: Float64Array | undefined;
  for (let s = 0; s < series; s++) {
    const own = oneSeries(rows, noise, randomStream(seed, `series ${s}`));
    if (s % 2 === 1) follow(own, leader!, 2 + (s % 5));
    for (let row = 0; row < rows; row++) values[row * series + s] = Math.round(own[row]! * 1e4) / 1e4;
    leader = own;
  }
  return {
    name: "synthetic",
    columns: Array.from({ length: series }, (_, s) => `s${s + 1}`),
    rows,
    values,
    timestamps: Float64Array.from({ length: rows }, (_, row) => begin + row * hour),
    step: { milliseconds: hour, label: durationLabel(hour), irregular: 0 },
  };
}

/** The {@link synthetic} table with its checksum: SHA-256 of its values as little-endian float64, in hexadecimal. */
export async function loadSynthetic(options: SyntheticOptions = {}): Promise<LoadedDataset> {
  const table = synthetic(options);
  const bytes = new DataView(new ArrayBuffer(table.values.length * 8));
  table.values.forEach((value, i) => {
    bytes.setFloat64(i * 8, value, true);
  });
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const checksum = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const missing = { rule: "error", cells: 0, bySeries: {}, droppedRows: 0 } as const;
  return { name: table.name, table, checksum, splits: defaultSplit, missing };
}

function oneSeries(rows: number, noise: number, random: () => number): Float64Array {
  const between = (low: number, high: number) => low + (high - low) * random();
  const level = between(-5, 20);
  const slope = between(-0.4, 0.4) / 1000;
  const [peak, second] = [between(0, 24), between(0, 12)];
  const [daily, halfDaily, weekly] = [between(0.8, 1.4), between(0.2, 0.5), between(0.3, 0.7)];
  const weekendShare = between(0.4, 0.7);
  const memory = between(0.6, 0.85);
  const innovation = noise * Math.sqrt(1 - memory * memory);
  const out = new Float64Array(rows);
  let disturbance = 0;
  for (let row = 0; row < rows; row++) {
    const weekend = Math.floor(row / 24) % 7 >= 5;
    const day = daily * wave(row - peak, 24) + halfDaily * wave(row - second, 12);
    disturbance = memory * disturbance + innovation * bell(random);
    out[row] =
      level + slope * row + (weekend ? weekendShare : 1) * day + weekly * wave(row, 168) + disturbance;
  }
  return out;
}

/** Adds the leader's course, `lag` rows later; before that, its first value. */
function follow(own: Float64Array, leader: Float64Array, lag: number): void {
  for (let row = 0; row < own.length; row++)
    own[row] = 0.5 * own[row]! + 0.7 * leader[Math.max(0, row - lag)]!;
}

function wave(row: number, period: number): number {
  return Math.cos((2 * Math.PI * row) / period);
}

/** About normal, mean 0, variance 1: twelve uniform numbers, so that no engine's logarithm has a say. */
function bell(random: () => number): number {
  let sum = -6;
  for (let i = 0; i < 12; i++) sum += random();
  return sum;
}
