import { describe, expect, it } from "vitest";
import { catalogue, findDataset } from "../src/index.ts";

describe("the catalogue", () => {
  it("pins every file by a public address and a checksum", () => {
    for (const { name, sha256, address, file, rows, columns } of catalogue) {
      expect(sha256, name).toMatch(/^[0-9a-f]{64}$/);
      expect(address, name).toMatch(/^https:\/\/(raw\.githubusercontent\.com|huggingface\.co)\/.+\.csv$/);
      expect(file).toBe(`${name}.csv`);
      expect(rows * columns).toBeGreaterThan(0);
    }
    expect(new Set(catalogue.map(({ sha256 }) => sha256)).size).toBe(catalogue.length);
  });

  it("splits ETT by months of 30 days, the rest by shares", () => {
    expect(findDataset("ETTh2").splits).toEqual({ rows: [8640, 2880, 2880] });
    expect(findDataset("ETTm2").splits).toEqual({ rows: [34560, 11520, 11520] });
    expect(findDataset("traffic").splits).toEqual({ shares: [0.7, 0.1, 0.2] });
  });

  it("names the nearest data set for one that it does not know", () => {
    expect(() => findDataset("ETTh")).toThrow(
      'dataset "ETTh" is not known. Did you mean "ETTh1"? Known: ETTh1, ETTh2, ETTm1, ETTm2, exchange_rate, national_illness, weather, helsinki_air_quality, electricity, traffic, synthetic, or a path to a .csv file.',
    );
    expect(() => findDataset("stocks of 1929")).toThrow('"stocks of 1929" is not known. Known: ');
  });
});
