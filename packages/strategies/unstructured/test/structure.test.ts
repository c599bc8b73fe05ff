import { isKept, type MaskStep, prunableTensors, prune } from "@espalier/core";
import {
  Builder,
  batch,
  concat,
  matMul,
  reshape,
  slice,
  transpose,
  uniformFanIn,
} from "@espalier/core/graph";
import { checkStrategy, drawEncoder, modelOf } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
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
  { structure: "2x2", scope: "erk" },
  { structure: "1x4", scope: "lamp" },
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
  for (const { parameter, keep } of masks) {
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
    for (const { parameter, keep } of await masksOf({ structure: "2:4" }, amount)) {
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
  expect(() => unstructured({ structure: "2:4", scope: "erk" })).toThrow("cannot be combined with a pattern");
  expect(() => plugin.create({ structure: "2x2", scope: "row" }, () => unstructured())).toThrow(
    "cannot be row with blocks",
  );
});

describe("of a convolution's weight [out, in, taps]", () => {
  const [out, inputs, taps] = [6, 4, 3];
  const b = Builder.create();
  const x = b.input("x", [batch, 5, inputs]);
  const shifted = [0, 1, 2].map((tap) => slice(b, x, 1, tap, tap + 3));
  const weight = b.parameter("weight", [out, inputs, taps], uniformFanIn(4));
  const matrix = reshape(b, transpose(b, weight, [2, 1, 0]), [taps * inputs, out]);
  b.output("y", matMul(b, concat(b, shifted, 2), matrix));
  const convolution = modelOf(b.build());
  const { data } = convolution.tensors.get("weight")!;
  const at = (o: number, i: number, t: number) => (o * inputs + i) * taps + t;
  const all = Array.from({ length: out * taps }, (_, i) => [Math.floor(i / taps), i % taps] as const);

  async function maskOf(options: Parameters<typeof unstructured>[0], amount: number): Promise<MaskStep> {
    const { steps } = await unstructured(options).plan({ model: convolution, amount });
    return steps[0] as MaskStep;
  }

  it("2:4 keeps two of the four inputs of each output and tap", async () => {
    const { keep } = await maskOf({ structure: "2:4" }, 0.5);
    for (const [o, t] of all) {
      const sorted = [0, 1, 2, 3].sort((i, j) => Math.abs(data[at(o, j, t)]!) - Math.abs(data[at(o, i, t)]!));
      expect([0, 1, 2, 3].filter((i) => isKept(keep, at(o, i, t)))).toEqual(sorted.slice(0, 2).sort());
    }
  });

  it("a row is an output: the weights of all its inputs and taps", async () => {
    const { keep } = await maskOf({ scope: "row" }, 0.25);
    for (let o = 0; o < out; o++) {
      const row = Array.from({ length: inputs * taps }, (_, k) => o * inputs * taps + k);
      const lost = row.filter((k) => !isKept(keep, k));
      const weakest = row.toSorted((k, l) => Math.abs(data[k]!) - Math.abs(data[l]!)).slice(0, 3);
      expect(lost).toEqual(weakest.sort((k, l) => k - l));
    }
  });

  it("a block of 2x4 is two outputs and the four inputs of a tap", async () => {
    const { keep } = await maskOf({ structure: "2x4" }, 0.5);
    for (const [o, t] of all.filter(([o]) => o % 2 === 0)) {
      const block = [o, o + 1].flatMap((row) => [0, 1, 2, 3].map((i) => isKept(keep, at(row, i, t))));
      expect(new Set(block).size).toBe(1);
    }
  });
});
