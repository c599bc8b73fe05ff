import { describe, expect, it } from "vitest";
import { answersOf } from "../src/answers.ts";
import { rowsOf } from "../src/rows.ts";
import { everythingTable } from "../src/tables.ts";
import { denseCell, latencyRecord, pruneCell, pruneRecord, trainRecord } from "./records.ts";

/** Dense MSE 0.13; models at these sparsities with these errors and speed-ups. */
function recordsOf(
  models: readonly (readonly [use: string, sparsity: number, mse: number, speed: number])[],
) {
  const dense = denseCell();
  return [
    trainRecord(dense),
    ...models.flatMap(([use, sparsity, mse, speed]) => {
      const cell = pruneCell(dense, use, { sparsity });
      const { result, ...rest } = pruneRecord(cell);
      const record = { ...rest, result: { ...result, tuned: { ...result.tuned, mse } } };
      return [record, latencyRecord(cell, "wasm", 8, speed, sparsity)];
    }),
  ];
}

const models = [
  ["channel", 0.5, 0.1305, 1.5],
  ["channel", 0.9, 0.14, 4],
  ["head", 0.6, 0.135, 2],
  ["head", 0.4, 0.131, 1.8],
] as const;

describe("the answers of a report", () => {
  it("are the smallest and the fastest within 1 % and 5 % of the dense error, whatever made them", () => {
    const [section] = rowsOf(recordsOf(models)).sections;
    expect(answersOf(section!)).toEqual([
      {
        question: "smallest within 1 %",
        figure: "150 kB",
        who: "channel, sparsity ≥ 50 %",
        facts: ["−50.0 % of the dense size", "MSE 0.1305 (+0.4 %)"],
      },
      {
        question: "fastest within 1 %",
        figure: "1.80×",
        who: "head, sparsity ≥ 40 %",
        facts: ["on wasm, batch 8", "MSE 0.1310 (+0.8 %)"],
      },
      {
        question: "smallest within 5 %",
        figure: "120 kB",
        who: "head, sparsity ≥ 60 %",
        facts: ["−60.0 % of the dense size", "MSE 0.1350 (+3.8 %)"],
      },
      {
        question: "fastest within 5 %",
        figure: "2.00×",
        who: "head, sparsity ≥ 60 %",
        facts: ["on wasm, batch 8", "MSE 0.1350 (+3.8 %)"],
      },
    ]);
  });

  it("say how near the best comes where nothing is within, and hold errors against a reference that is given", () => {
    const [section] = rowsOf(recordsOf(models), { iTransformer: 0.125 }).sections;
    const [none, smallest] = answersOf(section!);
    expect(none).toEqual({
      question: "within 1 %",
      figure: "none",
      who: "nearest: channel, sparsity ≥ 50 %",
      facts: ["MSE 0.1305 (+4.4 %)"],
    });
    expect(() => rowsOf(recordsOf(models), { itransformer: 0.1 })).toThrow(
      'model of the results "itransformer" is not known. Did you mean "iTransformer"?',
    );
    expect(smallest).toMatchObject({ question: "smallest within 5 %", figure: "150 kB" });
  });
});

it("the table of every model has means ± deviations over seeds, against the reference", () => {
  const seeds = [0, 1, 2].flatMap((seed) => {
    const dense = denseCell("synthetic", seed);
    return [trainRecord(dense), pruneRecord(pruneCell(dense, "channel", { sparsity: 0.5 }))];
  });
  const { columns, rows, caption } = everythingTable(rowsOf(seeds, { iTransformer: 0.12 }));
  const column = (label: string) => rows.map((row) => row[columns.findIndex((c) => c.label === label)]);
  expect(column("recipe")).toEqual(["dense", "the last value", "the value 24 rows before", "channel"]);
  expect(column("target")).toEqual(["", "", "", "sparsity ≥ 50 %"]);
  expect(column("seeds")).toEqual(["3", "", "", "3"]);
  expect(column("MSE fine-tuned")).toEqual(["0.1320 ± 0.0020", "0.9000", "0.1100", "0.1379 ± 0.0021"]);
  expect(column("MASE fine-tuned")).toEqual(["0.981 ± 0.007", "2.561", "0.895", "1.003 ± 0.008"]);
  expect(column("against reference")).toEqual(["+10.0 %", "+650.0 %", "−8.3 %", "+14.9 %"]);
  expect(column("size")).toEqual(["300 kB", "", "", "150 kB (−50.0 %)"]);
  expect(caption).toContain("reference MSE 0.1200 (iTransformer on synthetic)");
});

it("compares a model with the dense ones of its own seeds, where others have not run yet", () => {
  const dense = [0, 1, 2].map((seed) => trainRecord(denseCell("synthetic", seed)));
  const pruned = pruneRecord(pruneCell(denseCell("synthetic", 0), "channel", { sparsity: 0.5 }));
  const change = pruned.result.tuned.mse / dense[0]!.result.test.mse;
  for (const records of [
    [dense[0]!, pruned],
    [...dense, pruned],
  ]) {
    const [section] = rowsOf(records).sections;
    const [run] = section!.runs;
    expect(run!.after.mse.mean / run!.reference).toBeCloseTo(change, 12);
  }
});

it("keeps times of two processors apart, by the name of the backend", () => {
  const timed = [0, 1].flatMap((seed) => {
    const dense = denseCell("synthetic", seed);
    const cell = pruneCell(dense, "channel", { sparsity: 0.5 });
    const time = latencyRecord(cell, "wasm", 8, 2 + seed, 0.5);
    const environment = { ...time.environment, processor: `processor ${seed}` };
    return [trainRecord(dense), pruneRecord(cell), { ...time, environment }];
  });
  const [section] = rowsOf(timed).sections;
  expect(section!.timings.map(({ backend, speedup }) => [backend, speedup.mean])).toEqual([
    ["wasm on processor 0", 2],
    ["wasm on processor 1", 3],
  ]);
});
