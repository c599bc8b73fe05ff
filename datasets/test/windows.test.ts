import { Builder, batch } from "@espalier/core/graph";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  inputsFrom,
  spacedWindows,
  splitOf,
  synthetic,
  type Table,
  windows,
  withHistory,
} from "../src/index.ts";

/** Row r of series s holds 100 r + s. */
function counting(rows: number, series: number): Table {
  return {
    name: "counting",
    columns: Array.from({ length: series }, (_, s) => `s${s}`),
    rows,
    values: Float64Array.from(
      { length: rows * series },
      (_, i) => 100 * Math.floor(i / series) + (i % series),
    ),
  };
}

describe("splits", () => {
  it("round as Time-Series-Library does: training and test down, validation the rest", () => {
    expect(splitOf(counting(52696, 1))).toEqual({
      train: { start: 0, end: 36887 },
      validation: { start: 36887, end: 42157 },
      test: { start: 42157, end: 52696 },
    });
  });

  it("by rows leave what lies behind them unused", () => {
    expect(splitOf(counting(20, 1), { rows: [10, 3, 2] }).test).toEqual({ start: 13, end: 15 });
    expect(() => splitOf(counting(14, 1), { rows: [10, 3, 2] })).toThrow(
      "14 rows, the split needs 15 (10 + 3 + 2)",
    );
  });

  it("of shares that do not sum to 1 are refused", () => {
    expect(() => splitOf(counting(14, 1), { shares: [0.7, 0.1, 0.1] })).toThrow(/sum to 1/);
    expect(() => splitOf(counting(14, 1), { rows: [0.5, 3, 2] })).toThrow(/splitOf/);
  });
});

describe("windows", () => {
  it("are input and the rows right after it, one row apart", () => {
    const set = windows(counting(8, 2), { start: 1, end: 8 }, { inputLength: 3, horizon: 2, labelLength: 1 });
    expect(set.count).toBe(3);
    const { x, y, xDec, xMark } = set.batch([0, 2]);
    expect([...x]).toEqual([100, 101, 200, 201, 300, 301, 300, 301, 400, 401, 500, 501]);
    expect([...y]).toEqual([400, 401, 500, 501, 600, 601, 700, 701]);
    expect([...xDec]).toEqual([300, 301, 0, 0, 0, 0, 500, 501, 0, 0, 0, 0]);
    expect(xMark).toBeUndefined();
    expect(set.marks).toBe(0);
  });

  it("that do not fit a model say what they hold", () => {
    const set = windows(
      synthetic({ rows: 40, series: 2 }),
      { start: 0, end: 40 },
      { inputLength: 4, horizon: 2, labelLength: 1 },
    );
    const given = (name: string, shape: readonly [number, number]) => {
      const b = Builder.create();
      b.output("y", b.input(name, [batch, ...shape]));
      return () => inputsFrom(b.build().graph, set)([0, 1, 2]);
    };
    expect(given("x_enc", [4, 2])().get("x_enc")!.shape).toEqual([3, 4, 2]);
    expect(given("x_enc", [4, 3])).toThrow(
      `input "x_enc" has shape [batch, 4, 3], the data gives [3, 4, 2]: 4 rows of 2 series.`,
    );
    expect(given("x_mark_dec", [3, 9])).toThrow(
      `input "x_mark_dec" has shape [batch, 3, 9], the data gives [3, 3, ${set.marks}]: 3 rows of ${set.marks} time marks, whose number depends on the step`,
    );
  });

  it("with history forecast every row of their split, the first one included", () => {
    const range = withHistory({ start: 50, end: 60 }, 24);
    const set = windows(counting(60, 1), range, { inputLength: 24, horizon: 4 });
    expect(set.count).toBe(7);
    expect(set.batch([0]).y[0]).toBe(5000);
    expect(set.batch([6]).y[3]).toBe(5900);
    expect(withHistory({ start: 10, end: 60 }, 24).start).toBe(0);
  });

  it("lie inside their range and are as many as fit, for every shape", () => {
    const small = fc.integer({ min: 1, max: 6 });
    fc.assert(
      fc.property(
        small,
        small,
        small,
        small,
        fc.nat(20),
        fc.nat(30),
        (inputLength, horizon, stride, series, start, rows) => {
          const table = counting(start + rows + 3, series);
          const range = { start, end: start + rows };
          const set = windows(table, range, { inputLength, horizon, stride });
          let fitting = 0;
          for (let at = start; at + inputLength + horizon <= range.end; at += stride) fitting++;
          expect(set.count).toBe(fitting);
          const all = Array.from({ length: fitting }, (_, i) => i);
          const { x, y } = set.batch(all);
          for (const i of all) {
            const first = set.rowOf(i);
            for (let t = 0; t < inputLength; t++) {
              expect(x[(i * inputLength + t) * series]).toBe(100 * (first + t));
            }
            for (let t = 0; t < horizon; t++) {
              expect(y[(i * horizon + t + 1) * series - 1]).toBe(
                100 * (first + inputLength + t) + series - 1,
              );
            }
          }
        },
      ),
    );
  });

  it("carry time marks of the input and of the decoder's rows", () => {
    const set = windows(
      synthetic({ rows: 60 }),
      { start: 0, end: 60 },
      { inputLength: 24, horizon: 6, labelLength: 12 },
    );
    const { xMark, yMark } = set.batch([1]);
    expect(set.marks).toBe(4);
    expect(xMark).toHaveLength(24 * 4);
    expect(yMark).toHaveLength(18 * 4);
    expect(xMark![0]).toBeCloseTo(1 / 23 - 0.5, 6);
    expect(yMark![0]).toBeCloseTo(13 / 23 - 0.5, 6);
    expect(yMark!.slice(0, 12 * 4)).toEqual(xMark!.slice(12 * 4));
    expect(
      windows(synthetic({ rows: 60 }), { start: 0, end: 60 }, { inputLength: 2, horizon: 2, marks: false })
        .marks,
    ).toBe(0);
  });

  it("fill arrays of the caller's with what batch gives, whatever they held", () => {
    const set = windows(
      synthetic({ rows: 99 }),
      { start: 0, end: 99 },
      { inputLength: 8, horizon: 4, labelLength: 2 },
    );
    const expected = set.batch(Int32Array.of(5, 0, 5));
    const into = set.batch([1, 2, 3]);
    into.xDec.fill(7);
    set.fill([5, 0, 5], into);
    expect(into).toEqual(expected);
    const x = new Float32Array(expected.x.length);
    set.fill([5, 0, 5], { x });
    expect(x).toEqual(expected.x);
  });

  it("may be thinned out: every n-th, from the first on", () => {
    const all = windows(counting(20, 1), { start: 0, end: 20 }, { inputLength: 2, horizon: 1 });
    const some = spacedWindows(all, 5);
    expect([all.count, some.count, some.stride]).toEqual([18, 5, 4]);
    expect(Array.from({ length: 5 }, (_, i) => some.rowOf(i))).toEqual([0, 4, 8, 12, 16]);
    expect(some.batch([1, 4]).y).toEqual(all.batch([4, 16]).y);
    expect(() => some.batch([5])).toThrow("there is no window");
    expect(spacedWindows(all, 18)).toBe(all);
  });

  it("are none in a range too short, and refuse what is not there", () => {
    const set = windows(counting(9, 1), { start: 0, end: 4 }, { inputLength: 3, horizon: 2 });
    expect(set.count).toBe(0);
    const options = { inputLength: 3, horizon: 2 };
    const full = windows(counting(9, 1), { start: 0, end: 9 }, options);
    expect(() => full.batch([5])).toThrow("there is no window 5, only 0 to 4");
    expect(() => full.batch([-1])).toThrow("there is no window -1");
    expect(() => full.fill([0], { x: new Float32Array(4) })).toThrow("x has 4 elements, the batch needs 3");
    expect(() => windows(counting(9, 1), { start: 0, end: 10 }, options)).toThrow("not inside its 9 rows");
    expect(() => windows(counting(9, 1), { start: 0, end: 9 }, { ...options, labelLength: 4 })).toThrow(
      "labelLength",
    );
    expect(() => windows(counting(9, 1), { start: 0, end: 9 }, { ...options, horizon: 0 })).toThrow(
      "horizon",
    );
  });
});
