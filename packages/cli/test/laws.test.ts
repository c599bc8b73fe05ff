import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { espalier, temporaryFolder, words } from "./espalier.ts";

/** Series of known laws: what follows is known, too. */
let cwd: string;
beforeAll(async () => {
  cwd = await temporaryFolder(afterAll);
});

const hour = 3_600_000;
const rows = 800;
const horizon = 24;

interface Law {
  readonly dates: (i: number) => string;
  readonly value: (i: number) => number;
  readonly options?: string;
  readonly rows?: number;
  readonly model?: string;
}

/** Trains on a law's rows, and forecasts those that follow: dates and values as they stand in the CSV. */
async function forecast(name: string, law: Law) {
  const { dates, value, options = "" } = law;
  const count = law.rows ?? rows;
  const lines = Array.from({ length: count }, (_, i) => `${dates(i)},${value(i).toFixed(4)}`);
  await writeFile(join(cwd, `${name}.csv`), `date,y\n${lines.join("\n")}\n`);
  const model = `--model ${law.model ?? "DLinear"} --input-length 48 --horizon ${horizon}`;
  const training = "--epochs 12 --patience 0 --learning-rate 0.01 --batch-size 16";
  const line = `train ${model} ${training} --dataset ${name}.csv --out ${name}.safetensors ${options}`;
  const trained = await espalier(words(line), { cwd });
  expect(trained.code, trained.stderr).toBe(0);
  const { code, stdout, stderr } = await espalier(words(`predict ${name}.safetensors --input ${name}.csv`), {
    cwd,
  });
  expect(code, stderr).toBe(0);
  const cells = stdout
    .trim()
    .split("\n")
    .slice(1)
    .map((row) => row.split(","));
  return {
    stderr: trained.stderr,
    dates: cells.map(([date]) => date),
    values: cells.map(([, y]) => Number(y)),
    expected: Array.from({ length: horizon }, (_, i) => value(count + i)),
    expectedDates: Array.from({ length: horizon }, (_, i) => dates(count + i)),
  };
}

function worst(values: readonly number[], expected: readonly number[]): number {
  return Math.max(...values.map((value, i) => Math.abs(value - expected[i]!)));
}

const utc = (i: number) => new Date(Date.UTC(2024, 0, 1) + i * hour).toISOString().replace(".000", "");
const berlin = new Intl.DateTimeFormat("sv-SE", {
  timeZone: "Europe/Berlin",
  dateStyle: "short",
  timeStyle: "medium",
});

describe("forecasts of known laws, in original units", () => {
  it("a sine goes on", async () => {
    const { values, expected, dates, expectedDates } = await forecast("sine", {
      dates: utc,
      value: (i) => 1000 + 50 * Math.sin((2 * Math.PI * i) / 24),
    });
    expect(worst(values, expected)).toBeLessThan(5);
    expect(dates).toEqual(expectedDates);
  });

  it("a trend goes on", async () => {
    const { values, expected } = await forecast("trend", { dates: utc, value: (i) => 200 + 0.5 * i });
    expect(worst(values, expected)).toBeLessThan(20);
    expect(values.at(-1)! - values[0]!).toBeGreaterThan(6);
  });

  it("a shifted level stays where it is", async () => {
    const { values, expected } = await forecast("shift", {
      dates: utc,
      value: (i) => (i < 500 ? 10 : 30) + Math.sin((2 * Math.PI * i) / 12),
      // A model that sees windows as they lie around their own level.
      model: "iTransformer --set width=16 --set feedForward=16 --set heads=2 --set layers=1",
    });
    expect(worst(values, expected)).toBeLessThan(3);
  });

  it("business days with holidays go on with business days", async () => {
    const days = Array.from({ length: 1300 }, (_, i) => new Date(Date.UTC(2021, 0, 4) + 24 * i * hour))
      .filter((date) => date.getUTCDay() % 6 !== 0)
      .map((date) => date.toISOString().slice(0, 10));
    const open = days.filter((day) => !day.endsWith("-12-27") && !day.endsWith("-05-03"));
    const { values, expected, dates, stderr } = await forecast("holiday", {
      dates: (i) => open[i]!,
      value: (i) => 100 + 20 * [0, 1, 3, 1, 0][i % 5]!,
      rows: 850,
    });
    expect(stderr).toMatch(/holiday.csv: rows every 1 business day, but \d+ rows are missing in \d+ gaps/);
    expect(worst(values, expected)).toBeLessThan(6);
    const last = days.indexOf(open[849]!);
    expect(dates).toEqual(days.slice(last + 1, last + 1 + horizon));
  });

  it.each([
    ["spring", Date.UTC(2024, 2, 30, 12) - rows * hour],
    ["autumn", Date.UTC(2024, 9, 26, 12) - rows * hour],
  ])("across the change of clocks in %s, dates are right to the second", async (name, start) => {
    const { dates, expectedDates, values, expected } = await forecast(name, {
      dates: (i) => berlin.format(start + i * hour),
      value: (i) => 5 + Math.sin((2 * Math.PI * i) / 24),
      options: "--time-zone Europe/Berlin",
    });
    expect(dates).toEqual(expectedDates);
    expect(worst(values, expected)).toBeLessThan(0.2);
  });
});
