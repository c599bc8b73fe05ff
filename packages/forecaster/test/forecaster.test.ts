import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type Model, prune, reference } from "@espalier/core";
import {
  forecastingDataOf,
  loadSynthetic,
  selectSeries,
  type Table,
  windowShapeOf,
  withData,
} from "@espalier/datasets";
import { encodeModel, readOnnx, writeOnnx } from "@espalier/formats";
import { dLinear, informer, iTransformer, patchTST } from "@espalier/models";
import { unstructured } from "@espalier/strategy-unstructured";
import { describe, expect, it } from "vitest";
import { createForecaster, type Forecast, type Forecaster } from "../src/index.ts";

const lengths = { inputLength: 24, horizon: 6 };
const small = { ...lengths, series: 3, width: 8, feedForward: 8, heads: 2, layers: 1 };
const loaded = await loadSynthetic({ rows: 300, series: 3 });
const { table } = loaded;
const data = forecastingDataOf(loaded, lengths);
const known = (model: Model) => withData(model, data);
const plain = known(patchTST(small).initialize(1));
const marked = known(iTransformer({ ...small, marks: 4 }).initialize(1));

/** Rows of the table as callers without Espalier's tables have them. */
const rowsOf = ({ values, columns }: Table, from = 0): number[][] =>
  Array.from({ length: values.length / columns.length - from }, (_, row) => [
    ...values.subarray((from + row) * columns.length, (from + row + 1) * columns.length),
  ]);
const last = (rows: number): Table => ({
  ...table,
  rows,
  values: table.values.slice(-rows * 3),
  timestamps: table.timestamps!.slice(-rows),
});

async function using<T>(model: Model, use: (forecaster: Forecaster) => Promise<T>): Promise<T> {
  const forecaster = await createForecaster(encodeModel(model));
  try {
    return await use(forecaster);
  } finally {
    forecaster.dispose();
  }
}

describe("a forecast", () => {
  it("that is no number is refused", async () => {
    const values = Float64Array.from(table.values, (value, i) =>
      i === table.values.length - 3 ? 1e30 : value,
    );
    await expect(using(plain, (f) => f.forecast({ ...table, values }))).rejects.toThrow(
      /its forecast of ".*" is (NaN|Infinity)\. Are rows of .* far from all that it was trained on\?/,
    );
  });

  it("is what the model makes of the last window, in the data's units", async () => {
    const end = table.rows - lengths.horizon;
    const before = { ...table, rows: end, values: table.values.slice(0, end * 3), timestamps: undefined };
    const { values } = await using(plain, (f) => f.forecast(before));
    const state = await reference.createState(plain.tensors);
    const program = await reference.compile(plain.graph, { state });
    const { x } = data.test.batch([data.test.count - 1]);
    const input = { dtype: "float32" as const, shape: [1, 24, 3], data: x };
    const output = (await program.run(new Map([["x_enc", input]]))).values().next().value!;
    const { center, spread } = data.scaler;
    output.data.forEach((value, i) => {
      expect(values[i]).toBeCloseTo(value * spread[i % 3]! + center[i % 3]!, 4);
    });
  });

  it("continues the dates", async () => {
    const { timestamps, rows, columns } = await using(marked, (f) => f.forecast(table));
    const hour = 3_600_000;
    expect([...timestamps!]).toEqual([1, 2, 3, 4, 5, 6].map((i) => table.timestamps!.at(-1)! + i * hour));
    expect({ rows, columns }).toEqual({ rows: 6, columns: ["s1", "s2", "s3"] });
  });

  it("is the same however rows are given, and however many there are before the window", async () => {
    const times = [...table.timestamps!];
    await using(marked, async (forecaster) => {
      const { values } = await forecaster.forecast(table);
      const turned = rowsOf(table).map(([a, b, c]) => [c!, 0, a!, b!]);
      const named = rowsOf(table).map(([s1, s2, s3]) => ({ s3, s1, s2, other: "x" }));
      const others = [
        forecaster.forecast(last(24)),
        forecaster.forecast(rowsOf(table), { timestamps: times }),
        forecaster.forecast(rowsOf(table), { timestamps: times.map((time) => new Date(time)) }),
        forecaster.forecast(rowsOf(table), { timestamps: times.map((t) => new Date(t).toISOString()) }),
        forecaster.forecast(named, { timestamps: times }),
        forecaster.forecast(turned, { timestamps: times, columns: ["s3", "x", "s1", "s2"] }),
        forecaster.forecast(table.values, { timestamps: table.timestamps }),
      ];
      for (const other of await Promise.all(others)) expect(other.values).toEqual(values);
    });
  });

  it("comes from ONNX, too, and from a model whose file does not know its data", async () => {
    const { values } = await using(plain, (f) => f.forecast(table));
    const again = await createForecaster(readOnnx(writeOnnx(plain)));
    const restored = (await again.forecast(table)).values;
    restored.forEach((value, i) => {
      expect(value).toBeCloseTo(values[i]!, 4);
    });
    const { series, scaler } = data;
    const stranger = { ...plain, metadata: {} };
    const told = await createForecaster(stranger, { data: { series, scaler } });
    expect((await told.forecast(table)).values).toEqual(values);
    await expect(createForecaster(stranger)).rejects.toThrow("does not know its data");
  });

  it("of a pruned model with a decoder needs nothing else", async () => {
    const model = known(informer({ ...small, labelLength: 12, marks: 4 }).initialize(1));
    const pruned = prune(model, await unstructured().plan({ model, amount: 0.7 }));
    expect(windowShapeOf(pruned.graph).labelLength).toBe(12);
    const { values } = await using(pruned, (f) => f.forecast(table));
    expect(values.every(Number.isFinite)).toBe(true);
  });
});

describe("many forecasts", () => {
  const sets = [30, 47, 24, 100, 25, 64, 31, 28].map((rows) => ({
    rows: rowsOf(table).slice(0, rows),
    timestamps: table.timestamps!.slice(0, rows),
  }));

  it("eight at once are those made one after the other", async () => {
    await using(marked, async (forecaster) => {
      const alone: Forecast[] = [];
      for (const { rows, timestamps } of sets) alone.push(await forecaster.forecast(rows, { timestamps }));
      expect(await Promise.all(sets.map((s) => forecaster.forecast(s.rows, s)))).toEqual(alone);
      const together = await forecaster.forecastMany(sets);
      together.forEach(({ values, ...rest }, i) => {
        const { values: expected, ...others } = alone[i]!;
        expect(rest).toEqual(others);
        values.forEach((value, j) => {
          expect(value).toBeCloseTo(expected[j]!, 5);
        });
      });
      expect(await forecaster.forecastMany([])).toEqual([]);
    });
  });

  it("of a stream begin when the window is full", async () => {
    await using(marked, async (forecaster) => {
      const stream = forecaster.stream();
      for (const [i, row] of rowsOf(table).slice(0, 40).entries()) {
        const forecast = await stream.push(row, table.timestamps![i]);
        if (i + 1 < 24) expect(forecast).toBeUndefined();
        else {
          const seen = {
            rows: rowsOf(table).slice(i - 23, i + 1),
            timestamps: table.timestamps!.slice(i - 23, i + 1),
          };
          expect(forecast).toEqual(await forecaster.forecast(seen.rows, seen));
        }
      }
      await expect(stream.push([1, 2, 3], table.timestamps![3])).rejects.toThrow(
        "not later than the one before",
      );
      await expect(stream.push([1, 2, 3])).rejects.toThrow("either every row of a stream has a timestamp");
    });
  });

  it("leave memory as it is", async () => {
    const model = known(dLinear({ ...lengths, series: 3 }).initialize(1));
    await using(model, async (forecaster) => {
      const rows = last(24);
      setFlagsFromString("--expose-gc");
      const collectGarbage = runInNewContext("gc") as () => void;
      const held = async () => {
        collectGarbage();
        // Buffers are freed by another thread.
        await new Promise((resolve) => setTimeout(resolve, 50));
        collectGarbage();
        const { arrayBuffers, heapUsed } = process.memoryUsage();
        return arrayBuffers + heapUsed;
      };
      for (let i = 0; i < 500; i++) await forecaster.forecast(rows);
      const before = await held();
      for (let i = 0; i < 10_000; i++) await forecaster.forecast(rows);
      expect(await held()).toBeLessThan(before + 2 ** 20);
    });
  });
});

describe("what is wrong is said", () => {
  const say = (rows: Parameters<Forecaster["forecast"]>[0], options = {}, model = plain) =>
    using(model, (forecaster) =>
      forecaster.forecast(rows, options).then(
        () => "nothing",
        (error: Error) => `${error.name}: ${error.message}`,
      ),
    );
  const gap = rowsOf(table).slice(0, 24);
  gap[20] = [1, Number.NaN, 2];

  it.each<[string, Parameters<Forecaster["forecast"]>[0], object, RegExp]>([
    ["too few rows", rowsOf(table).slice(0, 23), {}, /23 rows, but the model looks back on 24/],
    ["a gap", gap, {}, /row 21, column "s2": NaN is not a number/],
    ["a text", [...gap.slice(0, 20), ...gap.slice(0, 3), ["1", 2, 3] as never], {}, /row 24, column "s1"/],
    ["a short row", [[1, 2]], {}, /row 1 has 2 values, but 3 are expected: s1, s2, s3/],
    ["a missing key", [{ s1: 1, s2: 2 }], {}, /row 1 has no column "s3"/],
    ["a missing column", [[1, 2]], { columns: ["s1", "s3"] }, /column s2 is missing/],
    ["half a row", new Float32Array(7), {}, /7 numbers cannot be divided into rows of 3 columns/],
    ["nothing", [null] as never, {}, /row 1 is null/],
    ["too few dates", rowsOf(table), { timestamps: [1] }, /1 timestamps were given for 300 rows/],
    ["no date", [[1, 2, 3]], { timestamps: ["soon"] }, /"soon"/],
  ])("%s", async (_, rows, options, message) => {
    const said = await say(rows, options);
    expect(said).toMatch(/^EspalierError: [^\n]*$/);
    expect(said).toMatch(message);
  });

  it("rows out of order, and no dates for a model that reads them", async () => {
    const unsorted = { ...last(30), timestamps: last(30).timestamps!.map((t, i) => (i === 28 ? 0 : t)) };
    expect(await say(unsorted)).toMatch(/row 29 is not later than the row before it/);
    expect(await say(rowsOf(table), {}, marked)).toMatch(/has no dates, but the model needs time features/);
  });

  it("bytes that are no model, other numbers of series, and a forecaster that is gone", async () => {
    await expect(createForecaster(new Uint8Array(5))).rejects.toThrow(/^model file: [^\n]*$/);
    await expect(createForecaster(undefined as never)).rejects.toThrow("give the bytes of a model file");
    const two = forecastingDataOf({ ...loaded, table: selectSeries(table, ["s1", "s2"]) }, lengths);
    await expect(createForecaster(withData(plain, two))).rejects.toThrow(
      "forecasts 3 series, but its data has 2",
    );
    const forecaster = await createForecaster(plain);
    forecaster.dispose();
    forecaster.dispose();
    await expect(forecaster.forecast(table)).rejects.toThrow("disposed of");
  });
});
