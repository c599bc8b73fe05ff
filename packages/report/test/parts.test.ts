import { isPrune, isTrain, type ResultRecord, type SensitivityCell } from "@espalier/bench";
import type { LayerCount, MaskPicture, Sensitivity } from "@espalier/core";
import { sha256 } from "@espalier/core/documents";
import { describe, expect, it } from "vitest";
import { maskSheet } from "../src/charts/masks.ts";
import { figuresOf } from "../src/figures.ts";
import { contestants, frontOf, frontTable } from "../src/front.ts";
import { renderSvg } from "../src/render.ts";
import { configurationsOf } from "../src/repeat.ts";
import { rowsOf } from "../src/rows.ts";
import { denseCell, latencyRecord, pruneCell, pruneRecord, records, trainRecord } from "./records.ts";

const names = ["embedding", "layers.0.attention.query", "layers.1.attention.query", "projection"];

function layers(densities: readonly number[], all = names): LayerCount[] {
  return all.map((name, i) => ({
    name,
    original: 1000,
    parameters: 1000,
    nonzero: 1000 * (densities[i] ?? 1),
    density: densities[i] ?? 1,
    live: true,
  }));
}

const dense = denseCell();
const sensitivity: Sensitivity = {
  criterion: "l1",
  amounts: [0.5, 0.9],
  error: 0.1,
  layers: names.map((name, i) => ({ name, weights: 1000, errors: [0.1, 0.1 * (1 + i)] })),
};

/** The dense model, two strategies at two targets, and the sensitivity of the dense model's layers. */
function withParts(before = layers([1, 1, 1, 1])): ResultRecord[] {
  const heads = (density: number[]) => [{ name: "layers.0.attention", dimension: "d", density }];
  const runs = [
    { use: "unstructured", sparsity: 0.5, densities: [0.5, 0.25, 0.004, 1], head: [0.5, 0.5] },
    { use: "unstructured", sparsity: 0.9, densities: [0.1, 0, 0, 1], head: [0.1, 0] },
    { use: "head", sparsity: 0.5, densities: [1, 0.5, 0.5, 1], head: [1, 0] },
  ].map(({ use, sparsity, densities, head }) => {
    const { result, ...rest } = pruneRecord(pruneCell(dense, use, { sparsity }));
    // Wholly removed layers are not listed.
    const left = before.flatMap((layer, i) => {
      const density = densities[i] ?? 1;
      return density === 0 ? [] : [{ ...layer, density, nonzero: 1000 * density }];
    });
    return { ...rest, result: { ...result, parts: { layers: left, heads: heads(head) } } };
  });
  const { result, ...rest } = trainRecord(dense);
  const cell: SensitivityCell = {
    kind: "sensitivity",
    dense,
    sensitivity: { amounts: [0.5, 0.9], windows: 9 },
  };
  return [
    { ...rest, result: { ...result, parts: { layers: before, heads: heads([1, 1]) } } },
    ...runs,
    { ...rest, id: sha256(new Uint8Array(1)), cell, result: sensitivity },
  ];
}

function figure(name: string, of = withParts()) {
  const rows = rowsOf(of);
  return rows.sections
    .flatMap((section) => figuresOf(section, rows, 0.5))
    .find((one) => one.name.endsWith(`-${name}`));
}

interface Cells {
  readonly hconcat: readonly {
    readonly title?: { readonly text: string };
    readonly data: { readonly values: readonly { row: string; column: string; text: string }[] };
  }[];
}

function cellsOf(name: string, of?: ResultRecord[]): Record<string, string[]> {
  const { hconcat } = figure(name, of)!.spec as unknown as Cells;
  return Object.fromEntries(
    hconcat.map(({ title, data }) => [
      title?.text ?? "",
      data.values.map(({ row, column, text }) => `${row} ${column}: ${text}`),
    ]),
  );
}

describe("the density of layers", () => {
  it("is shown at each sparsity of each strategy, without the layers that nothing was taken from", () => {
    expect(cellsOf("density-layers")).toEqual({
      unstructured: [
        "embedding 50 %: 50",
        "layers.0.attention.query 50 %: 25",
        "layers.1.attention.query 50 %: <1",
        "embedding 90 %: 10",
        "layers.0.attention.query 90 %: 0",
        "layers.1.attention.query 90 %: 0",
      ],
      head: ["embedding 50 %: 100", "layers.0.attention.query 50 %: 50", "layers.1.attention.query 50 %: 50"],
    });
  });

  it("of many layers is that of those which play the same part", () => {
    const many = [
      ...names.slice(0, 3),
      ...Array.from({ length: 40 }, (_, i) => `layers.${i + 2}.attention.query`),
    ];
    const of = withParts(layers([], many)).map((record) =>
      isPrune(record) && record.result.parts !== undefined
        ? {
            ...record,
            result: {
              ...record.result,
              parts: {
                ...record.result.parts,
                layers: layers(
                  many.map(() => 0.5),
                  many,
                ),
              },
            },
          }
        : record,
    );
    expect(cellsOf("density-layers", of).head).toEqual([
      "embedding 50 %: 50",
      "layers.*.attention.query 50 %: 50",
    ]);
  });

  it("of heads is shown at the target nearest to the one asked for", () => {
    expect(cellsOf("density-heads")).toEqual({
      unstructured: ["layers.0.attention 0: 50", "layers.0.attention 1: 50"],
      head: ["layers.0.attention 0: 100", "layers.0.attention 1: 0"],
    });
  });

  it("is left out where results say nothing of it", () => {
    expect(figure("density-layers", [...records])).toBeUndefined();
    expect(figure("density-heads", [...records])).toBeUndefined();
    expect(figure("sensitivity", [...records])).toBeUndefined();
  });
});

describe("what it takes to repeat results", () => {
  it("has the sensitivity, and the targets that were timed where not all were", () => {
    const runs = withParts();
    const timed = runs.filter(isPrune).slice(0, 1);
    const timings = timed.map(({ cell }) => latencyRecord(cell, "wasm", 1, 2, 0.5));
    expect(configurationsOf([...runs, ...timings])).toMatchObject([
      { sensitivity: { amounts: [0.5, 0.9], windows: 9 }, timedTargets: [{ sparsity: 0.5 }] },
    ]);
    expect(configurationsOf(records)[0]).not.toHaveProperty("timedTargets");
  });
});

describe("the sensitivity of layers", () => {
  it("is in units of the model's own error", () => {
    const [cells] = Object.values(cellsOf("sensitivity"));
    expect(cells).toContain("projection 90 %: 4.00×");
    expect(cells).toContain("embedding 50 %: 1.00×");
    expect(figure("sensitivity")!.alt).toContain("Most sensitive: projection");
  });

  it("draws without a warning", async () => {
    for (const name of ["density-layers", "density-heads", "sensitivity", "error-size"])
      expect(await renderSvg(figure(name)!.spec)).toContain("<svg");
  });
});

describe("the front", () => {
  const [section] = rowsOf(records).sections;
  const all = contestants(section!);

  it("is what no other model beats in size and error both", () => {
    const front = frontOf(all);
    expect(front.length).toBeGreaterThan(1);
    const beaten = (one: (typeof all)[number]) =>
      all.some((other) => other.size <= one.size && other.error < one.error);
    expect(all.filter((one) => front.includes(one)).every((one) => !beaten(one))).toBe(true);
    expect(
      all
        .filter((one) => !front.includes(one) && !beaten(one))
        .every((one) => front.some((other) => other.error === one.error && other.size <= one.size)),
    ).toBe(true);
  });

  it("is a table from the smallest on, its error ever less", () => {
    const { rows } = frontTable(section!, false);
    expect(rows.map(([size]) => Number.parseFloat(size!))).toEqual(
      rows.map(([size]) => Number.parseFloat(size!)).toSorted((a, b) => a - b),
    );
    const errors = rows.map((row) => Number.parseFloat(row[4]!));
    expect(errors).toEqual(errors.toSorted((a, b) => b - a));
  });
});

describe("live and dead parameters", () => {
  it("are told apart where a model has both", () => {
    const of = withParts().map((record) => {
      if (!(isTrain(record) || isPrune(record))) return record;
      const { counts, parts } = record.result;
      const parameters = { ...counts.parameters, dead: 1000, live: counts.parameters.total - 1000 };
      const some = parts!.layers.map((layer) => ({ ...layer, live: layer.name !== "projection" }));
      const result = {
        ...record.result,
        counts: { ...counts, parameters },
        parts: { ...parts!, layers: some },
      };
      return { ...record, result } as ResultRecord;
    });
    expect(JSON.stringify(figure("model-size", of)!.spec)).toContain("Pale end: dead");
    expect(JSON.stringify(figure("model-size", of)!.spec)).toContain("1 k dead");
    expect(JSON.stringify(figure("parameters-flops", of)!.spec)).toContain("Grey on top: dead");
    expect(JSON.stringify(figure("parameters-flops")!.spec)).not.toContain("dead");
  });
});

describe("a sheet of masks", () => {
  const picture: MaskPicture = {
    tensor: "<layer>.0.weight",
    original: [2, 4],
    shape: [2, 3],
    rows: 2,
    columns: 4,
    kept: Float32Array.of(1, 1, 0, 0, 0, 0.5, 1, 0),
    masked: Float32Array.of(0, 0, 1, 0, 1, 0.5, 0, 0),
    removed: Float32Array.of(0, 0, 0, 1, 0, 0, 0, 1),
    density: 0.4375,
  };

  it("draws runs of one shade as one rectangle, and names from files as text", () => {
    const svg = maskSheet([picture], "Masks", "a & b");
    expect(svg).toContain('<path d="M0 0h2v1h-2zM2 1h1v1h-1z" fill="#0b69c2" fill-opacity="1"/>');
    expect(svg).toContain('<path d="M1 1h1v1h-1z" fill="#0b69c2" fill-opacity="0.5"/>');
    expect(svg).toContain('<path d="M3 0h1v1h-1zM3 1h1v1h-1z" fill="#5c6470"');
    expect(svg).toContain("2 × 4 → 2 × 3: 43.8 % kept");
    expect(svg).not.toContain("<layer>");
    expect(svg).toContain("a &#38; b");
  });
});
