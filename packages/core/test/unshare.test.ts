import {
  createModel,
  float32,
  int32,
  prunableDimensions,
  randomInputs,
  reference,
  runModel,
} from "@espalier/core";
import { unshareRepeats } from "@espalier/core/dimensions";
import {
  add,
  Builder,
  batch,
  concat,
  expand,
  gatherND,
  mul,
  reshape,
  transpose,
  type Value,
} from "@espalier/core/graph";
import { linear, modelChecks, modelOf, relativeError } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";

const [rows, heads, channels] = [6, 3, 2];

/** Two layers that look values up at positions of one table, which is repeated over the batch, heads and channels. */
function drawShared(table: (b: Builder) => Value) {
  const b = Builder.create();
  let x = b.input("x", [batch, rows, 4]);
  const places = table(b);
  for (const layer of ["first", "second"]) {
    const wide = linear(b, `${layer}.up`, x, 4, heads * channels);
    const split = transpose(b, reshape(b, wide, [batch, rows, heads, channels]), [0, 2, 3, 1]);
    const ring = concat(b, [split, split], 3);
    const looked = gatherND(b, ring, reshape(b, places, [batch, heads, channels, rows, 1]), 3);
    const flat = reshape(b, transpose(b, looked, [0, 3, 1, 2]), [batch, rows, heads * channels]);
    x = add(b, x, linear(b, `${layer}.down`, flat, heads * channels, 4));
  }
  b.output("y", x);
  return modelOf(b.build());
}

const positions = int32(
  [1, 1, 1, rows],
  Array.from({ length: rows }, (_, row) => (row + 2) % rows),
);
const whole = [batch, heads, channels, rows] as const;

const tables: Readonly<Record<string, (b: Builder) => Value>> = {
  "repeated axis by axis": (b) => {
    const once = expand(b, b.constant(positions, "places"), [batch, 1, 1, rows]);
    const twice = expand(b, expand(b, once, [batch, heads, 1, rows]), whole);
    return add(b, twice, b.constant(int32([], [1]), "one"));
  },
  "repeated, then computed with": (b) => {
    const repeated = expand(b, b.constant(positions, "places"), whole);
    const shift = b.constant(int32([heads, 1, 1], [1, 1, 1]), "shift");
    return transpose(b, transpose(b, add(b, repeated, shift), [3, 2, 1, 0]), [3, 2, 1, 0]);
  },
  "stored for every head": (b) => {
    const data = Array.from({ length: heads * channels * rows }, (_, i) => (i * 1 + 1) % rows);
    const stored = b.constant(int32([1, heads, channels, rows], data), "places");
    return expand(b, stored, whole);
  },
};

describe("a table that is the same along an axis", () => {
  it.each(Object.entries(tables))("couples no layers: %s", async (_, table) => {
    const shared = drawShared(table);
    const free = ({ dimensions }: typeof shared) => prunableDimensions(dimensions).map(({ size }) => size);
    expect(free(shared)).toEqual([heads, channels]);
    const apart = createModel({ name: "apart", ...unshareRepeats(shared.graph, shared.tensors) });
    expect(free(apart)).toEqual([heads, channels, heads, channels]);
    const inputs = randomInputs(shared);
    const [before, after] = [
      await runModel(shared, reference, inputs),
      await runModel(apart, reference, inputs),
    ];
    expect(relativeError(after.get("y")!, before.get("y")!)).toBe(0);
    for (const { run } of modelChecks(apart)) await run();
  });

  it("is left alone while one node reads it", () => {
    const b = Builder.create();
    const x = b.input("x", [batch, rows, 4]);
    const bias = expand(b, b.constant(float32([1, 4], [1, 2, 3, 4]), "bias"), [rows, 4]);
    b.output("y", mul(b, linear(b, "up", x, 4, 4), bias));
    const { graph, tensors } = modelOf(b.build());
    expect(unshareRepeats(graph, tensors).graph).toBe(graph);
  });
});
