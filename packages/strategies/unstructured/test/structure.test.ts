import { isKept, type MaskStep, prunableTensors, prune } from "@espalier/core";
import { checkStrategy, drawEncoder, modelOf } from "@espalier/core/testing";
import { expect, it } from "vitest";
import { plugin, unstructured } from "../src/index.ts";

/** Widths that blocks of 4 and 3 do not divide. */
const model = modelOf(drawEncoder({ width: 10, heads: 2, feedForward: 18, input: 6 }));
const size = prunableTensors(model).reduce((n, name) => n + model.tensors.get(name)!.data.length, 0);

async function masksOf(options: Parameters<typeof unstructured>[0], amount: number): Promise<MaskStep[]> {
  const { steps } = await unstructured(options).plan({ model, amount });
  return steps.filter((step) => step.do === "mask");
}

it.each([
  { structure: "4x1" },
  { structure: "2x1", scope: "local" },
  { structure: "3x4" },
  { structure: "2:4" },
  { structure: "1:4" },
  { scope: "row" },
] as const)("keeps every promise of a strategy: %o", async (options) => {
  expect((await checkStrategy(unstructured(options), model)).applicable).toBe(true);
});

it("blocks go as a whole, the weakest on average first", async () => {
  const masks = await masksOf({ structure: "4x3", leastDensity: 0 }, 0.5);
  const means: { mean: number; kept: boolean }[] = [];
  for (const { parameter, keep, pattern } of masks) {
    expect(pattern).toEqual({ block: [4, 3] });
    const [rows, columns] = keep.shape as [number, number];
    const { data } = model.tensors.get(parameter)!;
    for (let row = 0; row < rows; row += 4) {
      for (let column = 0; column < columns; column += 3) {
        const block: number[] = [];
        for (let r = row; r < Math.min(row + 4, rows); r++) {
          for (let c = column; c < Math.min(column + 3, columns); c++) block.push(r * columns + c);
        }
        const kept = new Set(block.map((i) => isKept(keep, i)));
        expect(kept.size).toBe(1);
        const mean = block.reduce((sum, i) => sum + Math.abs(data[i]!), 0) / block.length;
        means.push({ mean, kept: kept.has(true) });
      }
    }
  }
  const removed = means.filter(({ kept }) => !kept).map(({ mean }) => mean);
  const stayed = means.filter(({ kept }) => kept).map(({ mean }) => mean);
  expect(Math.max(...removed)).toBeLessThanOrEqual(Math.min(...stayed) + 1e-6);
});

it("2:4 keeps the two largest of every four in a row, and never fewer", async () => {
  for (const amount of [0.5, 0.9]) {
    for (const { parameter, keep, pattern } of await masksOf({ structure: "2:4" }, amount)) {
      expect(pattern).toEqual({ n: 2, m: 4, axis: 1 });
      const width = keep.shape[1]!;
      const { data } = model.tensors.get(parameter)!;
      for (let i = 0; i < data.length; i++) {
        const start = i - ((i % width) % 4);
        const run = Array.from({ length: Math.min(4, width - (start % width)) }, (_, k) => start + k);
        const larger = run.filter((k) => Math.abs(data[k]!) > Math.abs(data[i]!)).length;
        expect(isKept(keep, i)).toBe(larger < Math.ceil(run.length / 2));
      }
    }
  }
});

it("a row loses the same share as every other row", async () => {
  for (const { keep } of await masksOf({ scope: "row" }, 0.3)) {
    const [rows, columns] = keep.shape as [number, number];
    for (let row = 0; row < rows; row++) {
      const kept = Array.from({ length: columns }, (_, c) => isKept(keep, row * columns + c)).filter(Boolean);
      expect(kept.length).toBe(columns - Math.round(0.3 * columns));
    }
  }
});

it("blocks meet a sparsity", async () => {
  const small = prune(model, await unstructured({ structure: "2x1" }).plan({ model, amount: 0.6 }));
  const kept = prunableTensors(model)
    .flatMap((name) => [...small.tensors.get(name)!.data])
    .filter((w) => w !== 0);
  expect(kept.length / size).toBeCloseTo(0.4, 1);
});

it("a structure nobody knows is refused", () => {
  expect(() => unstructured({ structure: "4 by 1" })).toThrow(/rows x columns/);
  expect(() => plugin.create({ structure: "2x2", scope: "row" }, () => unstructured())).toThrow(
    "blocks span rows",
  );
});
