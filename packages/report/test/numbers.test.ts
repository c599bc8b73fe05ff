import { describe, expect, it } from "vitest";
import {
  formatBytes,
  formatChange,
  formatCount,
  formatDuration,
  formatError,
  formatErrorStat,
  formatFlops,
  formatShare,
  formatShort,
  formatSpeedupStat,
  formatTime,
  formatTimeStat,
  plural,
  timingRemark,
} from "../src/text.ts";

describe("numbers", () => {
  it("remark on a timing that other programs disturbed, from a tenth of it on", () => {
    expect(timingRemark(0.09)).toBeUndefined();
    expect(timingRemark(0.38)).toMatch(/^Other programs had the processor for 38 % of the timing/);
  });

  it.each([
    [formatCount(1234567), "1,234,567"],
    [formatShort(74_840), "74.8 k"],
    [formatShort(999), "999"],
    [formatShort(999_600), "1 M"],
    [formatFlops(1_050_112), "1.05 MFLOPs"],
    [formatBytes(299_364), "299 kB"],
    [formatBytes(999.9), "1 kB"],
    [formatTime(0.00084), "840 ns"],
    [formatTime(0.0123), "12.3 µs"],
    [formatTime(0.456), "0.456 ms"],
    [formatTime(999.7), "1 s"],
    [formatTime(0), "0 ms"],
    [formatTimeStat({ mean: 0.0938, spread: 0.016 }), "93.8 ± 16 µs"],
    [formatTimeStat({ mean: 12.34, spread: 0.0421 }), "12.3 ± 0.042 ms"],
    [formatTimeStat({ mean: 1.5, spread: 0 }), "1.5 ms"],
    [formatDuration(0.84), "0.84 s"],
    [formatDuration(245), "4:05 min"],
    [formatShare(0.3002), "30 %"],
    [formatShare(Number.NaN), ""],
    [formatChange(0.453), "−54.7 %"],
    [formatChange(1.0002), "±0 %"],
    [formatChange(12), "+1100 %"],
    [formatChange(Number.NaN), ""],
    [formatSpeedupStat({ mean: 1.4123, spread: 0.02 }), "1.41 ± 0.02×"],
    [formatError(0.131), "0.1310"],
    [formatError(0.0123), "0.01230"],
    [formatError(12.345), "12.35"],
    [formatError(12345.6), "12,346"],
    [formatError(0.00001231), "1.231e-5"],
    [formatError(0), "0.0000"],
    [formatError(Number.POSITIVE_INFINITY), "not finite"],
    [formatErrorStat({ mean: 0.131, spread: 0.00142 }), "0.1310 ± 0.0014"],
    [plural(1, "epoch"), "1 epoch"],
    [plural(2000, "epoch"), "2,000 epochs"],
  ])("%s", (text, wanted) => {
    expect(text).toBe(wanted);
  });
});
