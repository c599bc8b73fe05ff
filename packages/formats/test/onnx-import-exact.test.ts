import { float32, int32 } from "@espalier/core";
import { TensorProto_DataType as Type } from "onnx-buf";
import { describe, expect, it } from "vitest";
import { float, int } from "../src/onnx/proto.ts";
import { agrees, refusal } from "./onnx-agreement.ts";
import { type FileParts, floats, long, longs, node, number, tensorAttribute } from "./onnx-build.ts";

/** Numbers that arithmetic in float32 would lose: beside large ones, beside NaN, and in types with few bits. */

const cast = (from: string, to: string, type: Type) => node("Cast", [from], to, { to: int(type) });
const row = { inputs: { x: ["batch", 4] } } as const;
/** One row of numbers for every sample. */
const given = (numbers: readonly number[]) => (_model: unknown, size: number) =>
  new Map([["x", float32([size, numbers.length], Array.from({ length: size }, () => numbers).flat())]]);

describe("the largest and the smallest number", () => {
  it.each([
    ["Max", -1e9],
    ["Min", 1e9],
  ])("%s beside a mask", async (operator, mask) => {
    const initializers = [floats("mask", [4], [mask, 0, mask, -0.5]), number("two", 2)];
    const nodes = [
      node("Mul", ["x", "two"], "z"),
      node(operator, ["x", "mask"], "a"),
      node("Add", ["z", "mask"], "hidden"),
      node(operator, ["hidden", "a"], "y"),
    ];
    await agrees({ ...row, nodes, initializers }, {}, given([0.1, -3.25, 1e-3, 7]));
  });

  it.each(["Max", "Min"])("%s beside NaN is NaN", async (operator) => {
    const parts = (inputs: readonly string[]): FileParts => ({
      ...row,
      nodes: [
        node("Log", ["x"], "odd"),
        node(operator, inputs, "found"),
        node("IsNaN", ["found"], "lost"),
        cast("lost", "y", Type.FLOAT),
      ],
      initializers: [floats("bounds", [4], [0, 1, 2, -3])],
    });
    for (const inputs of [
      ["odd", "x"],
      ["x", "odd"],
      ["bounds", "odd"],
    ])
      await agrees(parts(inputs), {}, given([-1, 1, 0, -2]));
  });
});

it("nothing compares with NaN, not even by ≥ and ≤, and what an infinite number is not is zero", async () => {
  for (const operator of ["Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal"]) {
    const nodes = [
      node("Log", ["x"], "odd"),
      node(operator, ["odd", "x"], "t"),
      node("Not", ["t"], "f"),
      cast("t", "a", Type.FLOAT),
      cast("f", "b", Type.FLOAT),
      node("Sub", ["a", "b"], "y"),
    ];
    await agrees({ ...row, nodes }, {}, given([-1, 1, 0, -2]));
  }
  const nodes = [
    node("Div", ["x", "nothing"], "infinite"),
    node("ThresholdedRelu", ["infinite"], "t", { alpha: float(1) }),
    node("Clip", ["t", "", "most"], "y"),
  ];
  const initializers = [number("nothing", 0), number("most", 9)];
  await agrees({ ...row, nodes, initializers }, {}, given([-1, 1, 2, -2]));
});

describe("integers of few bits", () => {
  const numbers = [-32769, -129, -128, -1, 0, 127, 128, 255, 256, 300, 32768, 65536];
  it.each(["INT8", "UINT8", "INT16", "UINT16"] as const)("%s loses the highest ones", async (name) => {
    const types = { x: Type.INT32 };
    const inputs = { x: ["batch", 12] };
    const nodes = [cast("x", "narrow", Type[name]), cast("narrow", "y", Type.FLOAT)];
    await agrees(
      { inputs, types, nodes },
      {},
      (_model, size) =>
        new Map([["x", int32([size, 12], Array.from({ length: size }, () => numbers).flat())]]),
    );
    const known = [
      cast("numbers", "narrow", Type[name]),
      cast("narrow", "floats", Type.FLOAT),
      node("Add", ["x", "floats"], "y"),
    ];
    await agrees({ inputs, nodes: known, initializers: [longs("numbers", numbers)] });
  });

  it("that a model does not have are refused", () => {
    expect(refusal({ ...row, nodes: [cast("x", "a", Type.UINT32), cast("a", "y", Type.FLOAT)] })).toMatch(
      /\(Cast\): it computes in uint32; a model computes in float32 and int32\. Export it with int64\.$/,
    );
  });
});

describe("powers of integers", () => {
  const whole = (exponent: number): FileParts => ({
    inputs: { x: ["batch", 6] },
    types: { x: Type.INT32 },
    nodes: [node("Pow", ["x", "exponent"], "power"), cast("power", "y", Type.FLOAT)],
    initializers: [long("exponent", exponent)],
  });

  it.each([0, 1, 4, 5, 13])("to %i", async (exponent) => {
    await agrees(
      whole(exponent),
      {},
      (_model, size) =>
        new Map([
          [
            "x",
            int32(
              [size, 6],
              Array.from({ length: 6 * size }, (_, i) => (i % 6) - 3),
            ),
          ],
        ]),
    );
  });

  it("that are no integers are refused", () => {
    expect(refusal(whole(-1))).toMatch(/only whole exponents from 0 to 63/);
  });

  it("of constants are integers, whatever the exponent is", async () => {
    await agrees({
      ...row,
      nodes: [
        node("Constant", [], "half", { value: tensorAttribute(number("", 0.5)) }),
        node("Pow", ["five", "half"], "two"),
        node("Pow", ["five", "minus"], "none"),
        node("Add", ["two", "none"], "sum"),
        cast("sum", "float", Type.FLOAT),
        node("Add", ["x", "float"], "y"),
      ],
      initializers: [long("five", 5), long("minus", -1)],
    });
  });
});
