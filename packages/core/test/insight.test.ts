import {
  densityMap,
  float32,
  headDensities,
  importanceDistribution,
  isKept,
  layerCounts,
  layerSensitivity,
  type Model,
  maskPicture,
  prunableDimensions,
  prunedTensors,
  type RemoveStep,
  withTensors,
} from "@espalier/core";
import { originalPositions } from "@espalier/core/dimensions";
import { maskFrom } from "@espalier/core/graph";
import { applySteps, findCriterion } from "@espalier/core/pruning";
import { drawEncoder, drawNetwork, maskRandomly, modelOf } from "@espalier/core/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { network } from "./networks.ts";

const [width, heads] = [8, 2];
const encoder = modelOf(drawEncoder({ width, heads, feedForward: 16 }));

/** Every element holds its own place: what pruning leaves says where it comes from. */
function tagged(model: Model): Model {
  const places = model.graph.tensors.map(({ name }) => {
    const { shape, data } = model.tensors.get(name)!;
    return [
      name,
      float32(
        shape,
        Float32Array.from(data, (_, i) => i + 1),
      ),
    ] as const;
  });
  return withTensors(model, new Map(places));
}

/** Removes every third index of a dimension; of one inside another, different ones in each row. */
function thinned(model: Model, at: number): Model {
  const dimension = prunableDimensions(model.dimensions)[at]!;
  const { size, within, name } = dimension;
  const row = (shift: number) =>
    Array.from({ length: size }, (_, i) => i).filter((i) => (i + shift) % 3 === 0 && i % 3 < 3);
  const count = Math.floor(size / 3);
  const outer = within === undefined ? 0 : (model.dimensions.list[within]!.size as number);
  const indices =
    within === undefined
      ? row(0).slice(0, count)
      : Array.from({ length: outer }, (_, h) => row(h).slice(0, count));
  const step: RemoveStep = { do: "remove", dimension: name, extent: size, indices, because: "" };
  return count === 0 ? model : applySteps(model, [step]);
}

describe("original positions", () => {
  it("are where elements lay before pruning, through any sequence of removals", async () => {
    await fc.assert(
      fc.property(network, fc.array(fc.nat(20), { maxLength: 6 }), (description, picks) => {
        const dense = tagged(modelOf(drawNetwork(description)));
        let model = dense;
        for (const pick of picks) {
          const count = prunableDimensions(model.dimensions).length;
          if (count > 0) model = thinned(model, pick % count);
        }
        const { list, axes } = model.dimensions;
        for (const { name, value, role } of model.graph.tensors) {
          if (role !== "trainable") continue;
          const before = dense.tensors.get(name)!.shape;
          const places = axes[value]!.map((e) => originalPositions(e, list));
          const expected = places.reduce<number[]>(
            (outer, axis, i) => outer.flatMap((o) => axis.map((p) => o * before[i]! + p)),
            [0],
          );
          expect([...model.tensors.get(name)!.data]).toEqual(expected.map((p) => p + 1));
        }
      }),
      { numRuns: 150, seed: 5 },
    );
  });
});

describe("density by head", () => {
  const [query] = headDensities(encoder).map(({ dimension }) => dimension);

  it("is 1 for all heads of an unpruned model, one row for each attention", () => {
    expect(headDensities(encoder)).toMatchObject([
      { name: "layers.0.attention", density: [1, 1] },
      { name: "layers.1.attention", density: [1, 1] },
    ]);
  });

  it("counts what masks and cuts leave of each head, by the heads there were at first", () => {
    const weight = "layers.0.attention.query.weight";
    const shape = encoder.tensors.get(weight)!.shape;
    expect(shape).toEqual([width, width]);
    // Half of the query rows of head 1.
    const keep = maskFrom(shape, (i) => i < 48);
    const masked = applySteps(encoder, [{ do: "mask", parameter: weight, keep, because: "" }]);
    // Query, key, value and out: 4 × 32 weights a head, 16 of them masked.
    expect(headDensities(masked)[0]!.density).toEqual([1, 1 - 16 / 128]);
    const cut = applySteps(masked, [
      { do: "remove", dimension: query!, extent: heads, indices: [0], because: "" },
    ]);
    expect(headDensities(cut)[0]!.density).toEqual([0, 1 - 16 / 128]);
    expect(headDensities(cut)[1]!.density).toEqual([1, 1]);
  });
});

describe("a density map", () => {
  it("puts layers of the same part side by side, and keeps those without a number apart", () => {
    const groups = densityMap(layerCounts(encoder));
    expect(groups.map(({ name, blocks }) => [name, blocks])).toEqual([
      ["", [""]],
      ["layers", ["0", "1"]],
    ]);
    const cells = groups.flatMap(({ rows }) => rows.flatMap((row) => row.cells));
    expect(cells.length).toBe(layerCounts(encoder).length);
    const names = groups[1]!.rows.map(({ name, cells: [first, second] }) => [
      name,
      first!.name,
      second!.name,
    ]);
    for (const [name, first, second] of names)
      expect([first, second]).toEqual([`layers.0.${name}`, `layers.1.${name}`]);
  });

  it("shows layers that pruning removed wholly as empty, where it knows of them", () => {
    const layers = layerCounts(encoder);
    const left = layers.filter(({ name }) => !name.startsWith("layers.1.attention"));
    const row = (groups: ReturnType<typeof densityMap>) =>
      groups.find(({ name }) => name === "layers")!.rows.find(({ name }) => name === "attention.query")!;
    expect(row(densityMap(left)).cells[1]).toBeUndefined();
    expect(row(densityMap(left, layers)).cells[1]).toMatchObject({ density: 0, nonzero: 0, parameters: 0 });
  });
});

describe("a mask picture", () => {
  const name = "layers.0.feedForward1.weight";

  it("has a cell an element where there is room, at the places of the unpruned tensor", () => {
    const at = prunableDimensions(encoder.dimensions).findIndex(({ members }) =>
      members.some(({ tensor, axis }) => tensor === name && axis === 0),
    );
    const cut = thinned(encoder, at);
    const { shape } = cut.tensors.get(name)!;
    const keep = maskFrom(shape, (i) => i % 2 === 0);
    const picture = maskPicture(applySteps(cut, [{ do: "mask", parameter: name, keep, because: "" }]), name);
    expect([picture.rows, picture.columns, picture.original, picture.shape]).toEqual([
      16,
      8,
      [16, 8],
      [11, 8],
    ]);
    const gone = [0, 3, 6, 9, 12];
    for (let r = 0; r < 16; r++) {
      for (let c = 0; c < 8; c++) {
        const at = r * 8 + c;
        const state = [picture.kept[at], picture.masked[at], picture.removed[at]];
        expect(state).toEqual(gone.includes(r) ? [0, 0, 1] : c % 2 === 0 ? [1, 0, 0] : [0, 1, 0]);
      }
    }
    expect(picture.density).toBe(44 / 128);
  });

  it("gives shares of several elements where there is not, which add up to the density", () => {
    const masked = maskRandomly(encoder, 3);
    for (const tensor of prunedTensors(masked)) {
      const picture = maskPicture(masked, tensor, { maxCells: 4 });
      const mean = picture.kept.reduce((sum, share) => sum + share, 0) / (picture.rows * picture.columns);
      const mask = masked.masks.get(tensor)!;
      const size = masked.tensors.get(tensor)!.data.length;
      const kept = Array.from({ length: size }, (_, i) => isKept(mask, i)).filter(Boolean).length;
      expect(picture.density).toBe(kept / size);
      if (size % (picture.rows * picture.columns) === 0) expect(mean).toBeCloseTo(kept / size, 6);
    }
    expect(prunedTensors(encoder)).toEqual([]);
  });

  it("of a tensor that is not there is refused", () => {
    expect(() => maskPicture(encoder, "layers.0.nothing")).toThrow(
      'the model has no trainable tensor "layers.0.nothing".',
    );
  });
});

describe("the importance distribution", () => {
  it("counts every weight once, on the scale of all layers", async () => {
    const name = "layers.0.feedForward1.weight";
    const { shape } = encoder.tensors.get(name)!;
    // 64 weights of 0.01, 63 of 1, and a masked one.
    const values = Float32Array.from({ length: 128 }, (_, i) => (i % 2 === 0 ? 0.01 : 1));
    const model = applySteps(withTensors(encoder, new Map([[name, float32(shape, values)]])), [
      { do: "mask", parameter: name, keep: maskFrom(shape, (i) => i !== 1), because: "" },
    ]);
    const { criterion, edges, layers } = await importanceDistribution({ model, bins: 10 });
    expect([criterion, edges.length, edges.at(-1)]).toEqual(["l1", 11, 0]);
    const layer = layers.find((l) => l.name === "layers.0.feedForward1")!;
    const at = (log: number) => edges.findLastIndex((edge) => edge <= log + 1e-9);
    expect(layer.counts[at(-2)]).toBe(64);
    expect(layer.counts[9]).toBe(63);
    expect(layer.zeros).toBe(1);
    for (const { counts, zeros, name: called } of layers) {
      const size = model.tensors.get(`${called}.weight`)!.data.length;
      expect(counts.reduce((a, b) => a + b, zeros)).toBe(size);
    }
  });

  it("of a model that is all zeros has empty bins", async () => {
    const zeros = encoder.graph.tensors.map(({ name }) => {
      const { shape, data } = encoder.tensors.get(name)!;
      return [name, float32(shape, new Float32Array(data.length))] as const;
    });
    const { layers, edges } = await importanceDistribution({ model: withTensors(encoder, new Map(zeros)) });
    expect(edges.every(Number.isFinite)).toBe(true);
    for (const { counts, median } of layers) expect([Math.max(...counts), median]).toEqual([0, undefined]);
  });
});

describe("the sensitivity of layers", () => {
  it("is the error with that layer alone pruned", async () => {
    const seen: string[] = [];
    const { error, layers, criterion } = await layerSensitivity({
      model: encoder,
      amounts: [0.25, 0.5],
      evaluate: async (model) => {
        seen.push([...model.masks.keys()].join());
        const counts = [...model.masks.values()].map((mask) => mask.bits.reduce((n, b) => n + bits(b), 0));
        return counts[0] ?? -1;
      },
    });
    expect([error, criterion]).toEqual([-1, "l1"]);
    for (const { name, weights, errors } of layers) {
      expect(errors).toEqual([0.75 * weights, 0.5 * weights]);
      expect(seen.filter((one) => one === `${name}.weight`).length).toBe(2);
    }
    expect(seen.length).toBe(1 + 2 * layers.length);
    expect(layers.length).toBe(layerCounts(encoder).filter(({ name }) => !name.includes("norm")).length);
  });

  it("masks the weights that the criterion ranks lowest", async () => {
    const name = "projection.weight";
    const scores = await findCriterion("l1").weights({ model: encoder }, [name]);
    const limit = [...scores.get(name)!].sort((a, b) => a - b)[4]!;
    await layerSensitivity({
      model: encoder,
      amounts: [0.25],
      evaluate: async (model) => {
        const mask = model.masks.get(name);
        if (mask !== undefined)
          scores.get(name)!.forEach((score, i) => void expect(isKept(mask, i)).toBe(score >= limit));
        return 0;
      },
    });
    expect.assertions(16);
  });

  it("refuses an amount that leaves nothing, and stops when told to", async () => {
    const evaluate = async () => 0;
    await expect(layerSensitivity({ model: encoder, amounts: [1], evaluate })).rejects.toThrow("amount 1");
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(layerSensitivity({ model: encoder, amounts: [0.5], evaluate, signal })).rejects.toThrow(
      "enough",
    );
  });
});

function bits(byte: number): number {
  return byte.toString(2).replaceAll("0", "").length;
}
