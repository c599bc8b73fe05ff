import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { espalier, temporaryFolder, words } from "./espalier.ts";

/** Files as people have them, with what should become of each. */
const folder = join(import.meta.dirname, "../../../../shared/cases/csv");
const here = existsSync(folder);
if (!here) console.warn("skipped: CSV files as people have them, for want of ../shared/cases/csv");
const expected: Record<string, { expect: string; what: string }> = here
  ? JSON.parse(readFileSync(join(folder, "expected.json"), "utf8"))
  : {};

let cwd: string;
beforeAll(async () => {
  cwd = await temporaryFolder(afterAll);
});

const model = words("--model DLinear --input-length 24 --horizon 12 --epochs 1 --batches-per-epoch 4");

async function train(file: string, out: string, more = "") {
  return espalier(["train", ...model, "--dataset", join(folder, file), "--out", out, ...words(more)], {
    cwd,
  });
}

/** The forecast's lines, header first, cells apart. */
async function forecast(file: string, out: string) {
  const ran = await espalier(["predict", out, "--input", join(folder, file)], { cwd });
  expect(ran, ran.stderr).toMatchObject({ code: 0 });
  const data = await espalier(["predict", out, "--input", join(folder, file), "--json"], { cwd });
  return { lines: ran.stdout.trim().split("\n"), json: JSON.parse(data.stdout) };
}

describe.skipIf(!here)("CSV files as people have them, from ../shared/cases/csv if it is there", () => {
  it("has an expectation for every file", () => {
    expect(Object.keys(expected).sort()).toEqual(
      readdirSync(folder)
        .filter((file) => file !== "expected.json")
        .sort(),
    );
  });

  it.each(Object.entries(expected))("%s", async (file, { expect: wanted }) => {
    const out = `${file}.safetensors`;
    const { code, stderr } = await train(file, out);
    const notes = stderr.split("\n").filter((line) => line.startsWith(`${file}: `));
    if (code !== 0) {
      expect(wanted).toContain("error");
      expect(stderr.trim().split("\n").at(-1)).toMatch(/^espalier: data [^\n]{30,}$/);
      return;
    }
    expect(wanted).not.toBe("error");
    if (wanted === "warn") expect(notes.length).toBeGreaterThan(0);
    const { lines, json } = await forecast(file, out);
    expect(lines).toHaveLength(13);
    expect(json.forecast.flat().every(Number.isFinite)).toBe(true);
    expect(stderr + lines.join()).not.toContain("\uFFFD");
  });

  it.each([
    ["gap-rows.csv", "40 rows are missing after 2024-01-13 10:00:00"],
    ["dup.csv", "1 row repeats the moment before at 2024-01-05 03:00:00"],
    ["dst-gap.csv", "1 row is missing after 2024-03-31 01:00:00 (summer time?"],
    ["miss-m9999.csv", "-9999 stands there 4 times"],
    ["index.csv", "the column without a name counts the rows: left out"],
    ["euro.csv", 'read with cells parted by ";", a decimal comma'],
    ["trailing-commas.csv", "2 rows of empty cells left out, the first is row 802"],
    ["long.csv", '--pivot "id"'],
    ["base.parquet", "pandas.read_parquet"],
    ["units-row.csv", "row 2"],
    ["huge.csv", 'row 2, column "a": 1.001e+302 is beyond the 32-bit numbers'],
  ])("%s: says %s", async (file, line) => {
    const { stderr } = await train(file, "said.safetensors", "--force");
    expect(stderr).toContain(line);
  });

  it.each([
    ["business.csv", "2023-01-25", "2023-01-26"],
    ["isoz.csv", "2024-02-03T08:00:00Z", "2024-02-03T09:00:00Z"],
    ["unix.csv", "1706947200", "1706950800"],
    ["ym.csv", "2024-09", "2024-10"],
    ["monthname.csv", "03-Feb-2024 08:00", "03-Feb-2024 09:00"],
    ["us-dates.csv", "02/03/2024 08:00", "02/03/2024 09:00"],
  ])("%s: forecasts are dated as the file is", async (file, first, second) => {
    const { lines, json } = await forecast(file, `${file}.safetensors`);
    expect(lines[1]!.split(",")[0]).toBe(first);
    expect(json.dates.slice(0, 2)).toEqual([first, second]);
  });

  it("writes enough digits to see a small sine on a large offset, and JSON's are the same", async () => {
    const { lines, json } = await forecast("offset.csv", "offset.csv.safetensors");
    const column = lines.slice(1).map((line) => Number(line.split(",")[1]));
    expect(new Set(column).size).toBeGreaterThan(10);
    for (const value of column) expect(Math.abs(value - 1e9)).toBeLessThan(200);
    expect(json.forecast.map((row: number[]) => row[0])).toEqual(column);
  });

  it("forecasts the constant of a constant series", async () => {
    const { json } = await forecast("const.csv", "const.csv.safetensors");
    expect(new Set(json.forecast.map((row: number[]) => row[1]))).toEqual(new Set([5]));
  });

  it("remembers how a file was read", async () => {
    const { lines } = await forecast("euro.csv", "euro.csv.safetensors");
    expect(lines[0]).toBe("date;a;b;c");
    expect(lines[1]).toMatch(/^2024-02-03 08:00:00;\d+,\d+;/);
    const evaluated = await espalier(
      ["evaluate", "euro.csv.safetensors", "--dataset", join(folder, "euro.csv")],
      { cwd },
    );
    expect(evaluated.code).toBe(0);
  });

  it.each(["fill", "split", "error"])("--gaps %s decides about gaps", async (rule) => {
    const { code, stderr } = await train("gap-rows.csv", `${rule}.safetensors`, `--gaps ${rule}`);
    expect(code).toBe(rule === "error" ? 1 : 0);
    expect(stderr).toContain(
      { fill: "40 filled by", split: "windows do not reach across", error: "40 rows" }[rule],
    );
  });

  it("--na makes a marker missing, --pivot turns a long table, --series names names with commas", async () => {
    const without = await train("miss-m9999.csv", "na.safetensors", "--na -9999");
    expect(without.stderr).toMatch(/column "b": -9999\.?\d* stands for a missing value. Give --missing/);
    const na = await train("miss-m9999.csv", "na.safetensors", "--na b=-9999 --missing forward-fill");
    expect(na.stderr).toContain("4 values (0.2 %) were missing in 1 series: forward-fill");
    expect(na.stderr).not.toContain("stands there");
    expect(await train("long.csv", "long.safetensors", "--pivot id")).toMatchObject({ code: 0 });
    expect((await forecast("long.csv", "long.safetensors")).json.series).toEqual(["s1", "s2"]);
    for (const [i, series] of [
      ['"load, north (kW)","say ""hi"""'],
      ["load, north (kW)", "--series", "c d"],
    ].entries()) {
      const out = `quoted-${i}.safetensors`;
      const file = join(folder, "quotedhdr.csv");
      const ran = await espalier(
        ["train", ...model, "--dataset", file, "--out", out, "--series", ...series],
        { cwd },
      );
      expect(ran.code, ran.stderr).toBe(0);
      expect((await forecast("quotedhdr.csv", out)).json.series[0]).toBe("load, north (kW)");
    }
  });
});
