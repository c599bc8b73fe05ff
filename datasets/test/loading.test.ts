import { copyFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it, vi } from "vitest";
import { forecastingDataOf } from "../src/index.ts";
import { datasetFile, forecastingData, loadDataset } from "../src/node/index.ts";
import { dataFolder, dataPresent, temporaryFolder } from "./files.ts";

afterEach(() => vi.unstubAllEnvs());

async function csv(rows: number): Promise<string> {
  const path = join(await temporaryFolder(), "x.csv");
  await writeFile(path, `a\n${Array.from({ length: rows }, (_, i) => i).join("\n")}\n`);
  return path;
}

describe("loading", () => {
  it("runs from the sources", () => {
    expect(fileURLToPath(import.meta.resolve("@espalier/datasets/node"))).toMatch(
      /datasets[/\\]src[/\\]node[/\\]index.ts$/,
    );
  });

  it("takes the embedded series by name, with a selection of series", async () => {
    const data = await loadDataset("synthetic", { series: ["s3", "s1"], synthetic: { rows: 50 } });
    expect(data.table.columns).toEqual(["s3", "s1"]);
    await expect(loadDataset("synthetic", { series: ["s9"] })).rejects.toThrow('series "s9" is not known');
  });

  it("takes a user's file by its path, with tabs for .tsv", async () => {
    expect(await loadDataset(await csv(5))).toMatchObject({
      name: "x.csv",
      table: { rows: 5 },
      splits: { shares: [0.7, 0.1, 0.2] },
    });
    const tabs = join(await temporaryFolder(), "x.tsv");
    await writeFile(tabs, "a\tb\n1\t2\n");
    expect((await loadDataset(tabs)).table.columns).toEqual(["a", "b"]);
  });

  it("tells how a file with data is called", async () => {
    const path = (await csv(20)).replace(/\.csv$/, "");
    await writeFile(path, "a\n1\n");
    await expect(loadDataset(path)).rejects.toThrow("is told by the end of its name: .csv");
  });

  it("suggests the nearest name, and refuses options it does not know", async () => {
    await expect(loadDataset("ETTh")).rejects.toThrow('Did you mean "ETTh1"?');
    await expect(loadDataset("synthetic", { misssing: "drop" } as object)).rejects.toThrow("misssing");
  });

  it("looks in ESPALIER_DATA, and refuses a file of another checksum there", async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, "ETTh1.csv"), "date,a\n");
    vi.stubEnv("ESPALIER_DATA", folder);
    await expect(loadDataset("ETTh1")).rejects.toThrow(
      /^data ETTh1: .*ETTh1.csv has sha256 [0-9a-f]{64}, expected f18de3ad[0-9a-f]{56}. Replace it by https:.*, or give its path/,
    );
  });

  it("keeps downloads in ESPALIER_CACHE", async () => {
    vi.stubEnv("ESPALIER_DATA", "");
    vi.stubEnv("ESPALIER_CACHE", await temporaryFolder());
    expect(await datasetFile("traffic")).toEqual({
      path: join(process.env.ESPALIER_CACHE!, "datasets", "traffic.csv"),
      present: false,
    });
  });

  it("stops before it begins if aborted", async () => {
    await expect(loadDataset("ETTh1", { signal: AbortSignal.abort() })).rejects.toHaveProperty(
      "name",
      "AbortError",
    );
  });
});

describe("forecasting data", () => {
  it("is windows of scaled values, with what is needed to go back", async () => {
    const data = await forecastingData({
      dataset: "synthetic",
      inputLength: 96,
      horizon: 24,
      labelLength: 48,
      stride: 5,
    });
    expect([data.train.count, data.validation.count, data.test.count]).toEqual([537, 377, 777]);
    expect(data).toMatchObject({ name: "synthetic", marks: 4, frequency: "h" });
    expect(data.series).toHaveLength(7);
    const { y } = data.test.batch([0]);
    const { center, spread } = data.scaler;
    expect(y[0]! * spread[0]! + center[0]!).toBeCloseTo(data.table.values[data.split.test.start * 7]!, 4);
  });

  it("takes a scaling that was learnt elsewhere, of as many series", async () => {
    const request = { dataset: "synthetic", inputLength: 8, horizon: 4 };
    const scaler = { kind: "standard" as const, center: [1], spread: [2] };
    const data = await forecastingData({ ...request, series: ["s1"], scaler });
    expect(data.scaler).toEqual(scaler);
    expect(data.train.batch([0]).x[0]).toBeCloseTo((data.table.values[0]! - 1) / 2, 5);
    await expect(forecastingData({ ...request, scaler })).rejects.toThrow("7 series, but the scaling has 1");
  });

  it("has no marks without dates, and none if told so", async () => {
    const request = { inputLength: 8, horizon: 4 };
    expect((await forecastingData({ dataset: await csv(200), ...request })).marks).toBe(0);
    expect((await forecastingData({ dataset: "synthetic", frequency: false, ...request })).marks).toBe(0);
    expect((await forecastingData({ dataset: "synthetic", frequency: "t", ...request })).marks).toBe(5);
    await expect(forecastingData({ dataset: await csv(200), frequency: "h", ...request })).rejects.toThrow(
      "no dates",
    );
  });

  it.each([
    [80, 96, 24, "80 rows leave 56 for the training split; inputLength 96 + horizon 24 needs at least 120"],
    [1000, 96, 120, "1000 rows leave 100 for the validation split; horizon 120 needs at least 120"],
  ])(
    "of %d rows is too short for %d → %d, and says by how much",
    async (rows, inputLength, horizon, message) => {
      await expect(forecastingData({ dataset: await csv(rows), inputLength, horizon })).rejects.toThrow(
        `data x.csv: ${message}. Give more data, a shorter inputLength or horizon, or other splits.`,
      );
    },
  );

  it("refuses options that are not known or make no sense", async () => {
    const source = await loadDataset("synthetic");
    const request = { inputLength: 8, horizon: 4 };
    expect(() => forecastingDataOf(source, { ...request, horizon: -1 })).toThrow(
      'forecastingData: option "horizon"',
    );
    expect(() => forecastingDataOf(source, { ...request, scale: "max" as "none" })).toThrow('option "scale"');
    expect(() => forecastingDataOf(source, { ...request, splits: { shares: [1, 1, 1] } })).toThrow(
      'option "splits.shares": expected shares that sum to 1.',
    );
    await expect(forecastingData({ dataset: "synthetic", ...request, horizn: 1 } as never)).rejects.toThrow(
      "horizn",
    );
  });
});

describe.skipIf(!dataPresent)("real data (shared/datasets)", () => {
  it.each([
    ["ETTh1", 17420, 7, "1 h", 0, 0],
    ["ETTh2", 17420, 7, "1 h", 0, 0],
    ["ETTm1", 69680, 7, "15 min", 0, 0],
    ["exchange_rate", 7588, 8, "1 day", 0, 0],
    ["national_illness", 966, 7, "7 days", 0, 0],
    ["weather", 52696, 21, "10 min", 2, 81],
    ["helsinki_air_quality", 61392, 8, undefined, undefined, 1734],
  ])("%s is what the catalogue says", async (name, rows, columns, step, irregular, missing) => {
    const data = await loadDataset(name, { folder: dataFolder, offline: true });
    expect(data.table).toMatchObject({ name, rows });
    expect(data.table.columns).toHaveLength(columns);
    expect(data.table.step?.label).toBe(step);
    expect(data.table.step?.irregular).toBe(irregular);
    expect(data.missing.cells).toBe(missing);
  });

  it("ETTh1 96 → 96 has the literature's windows, scaling and marks", async () => {
    const data = await forecastingData({
      dataset: "ETTh1",
      folder: dataFolder,
      inputLength: 96,
      horizon: 96,
    });
    expect([data.train.count, data.validation.count, data.test.count]).toEqual([8449, 2785, 2785]);
    // By Python's statistics.fmean and pstdev over the first 8640 rows.
    expect(data.scaler.center[0]).toBeCloseTo(7.937742245659508, 10);
    expect(data.scaler.spread[0]).toBeCloseTo(5.812749409143771, 10);
    expect(data.scaler.center[6]).toBeCloseTo(17.1282616982271, 10);
    expect(data.scaler.spread[6]).toBeCloseTo(9.176491024944335, 10);
    // The first test window's input starts at 2017-10-20 00:00, its target at 2017-10-24 00:00.
    const { x, y, xMark } = data.test.batch([0, 2784]);
    expect(x[6]).toBeCloseTo(-0.9005905803566849, 6);
    expect(y[6]).toBeCloseTo(-0.8623406838331442, 6);
    expect(y.at(-1)).toBeCloseTo(-1.6136082472913216, 6);
    expect(xMark!.slice(0, 4)).toEqual(Float32Array.of(-0.5, 1 / 6, 4 / 30, 0.3));
  });

  it("weather without its sentinels is filled forward, and with them what the literature reports on", async () => {
    const request = { dataset: "weather", folder: dataFolder, inputLength: 96, horizon: 96 };
    const filled = await forecastingData(request);
    expect(filled.frequency).toBe("t");
    expect(filled.scaler.center[20]).toBeCloseTo(425.1752622875268, 8);
    expect(filled.scaler.spread[20]).toBeCloseTo(18.196060618454048, 8);
    const raw = await forecastingData({ ...request, sentinels: [] });
    expect(raw.scaler.center[20]).toBeCloseTo(411.0543416379754, 8);
    expect(raw.scaler.spread[20]).toBeCloseTo(383.9570979658789, 8);
    expect(raw.missing.cells).toBe(0);
  });

  it("a verified copy in the cache is used without the network, a damaged one is refused", async () => {
    const cache = await temporaryFolder();
    const folder = join(cache, "none");
    const { path } = await datasetFile("national_illness", { cache, folder });
    const fetch = async () => new Response(await readFile(join(dataFolder, "national_illness.csv")));
    await loadDataset("national_illness", { cache, folder, fetch });
    expect((await loadDataset("national_illness", { cache, folder, offline: true })).table.rows).toBe(966);
    await copyFile(join(dataFolder, "exchange_rate.csv"), path);
    await expect(loadDataset("national_illness", { cache, folder, offline: true })).rejects.toThrow(
      "Delete the file, and it is downloaded again.",
    );
  });
});
