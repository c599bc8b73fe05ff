import { TensorProto_DataType as Type } from "onnx-buf";
import { describe, expect, it } from "vitest";
import { int, ints, text } from "../src/onnx/proto.ts";
import { agrees, operators, refusal } from "./onnx-agreement.ts";
import { type FileParts, floats, long, longs, node, number, tensorAttribute, weight } from "./onnx-build.ts";

const inputs = { x: ["batch", 6, 4] } as const;
const constants = [
  number("zero", 0),
  number("two", 2),
  long("axis", 1),
  longs("last", [2]),
  longs("end", [3]),
];

/** `mask = x > 0`, and the positions where it holds, a row for each. */
const positions = [
  node("Greater", ["x", "zero"], "mask"),
  node("NonZero", ["mask"], "columns"),
  node("Transpose", ["columns"], "rows", { perm: ints([1, 0]) }),
];

/** One coordinate of each position. */
const coordinate = (name: string, axis: number) =>
  [
    node("Gather", ["columns", `${name}.axis`], name, { axis: int(0) }),
    node("Constant", [], `${name}.axis`, { value: tensorAttribute(long("", axis)) }),
  ].reverse();

describe("indexing with a mask", () => {
  it("changes the values where it holds", async () => {
    const model = await agrees({
      inputs,
      nodes: [
        ...positions,
        node("GatherND", ["x", "rows"], "values"),
        node("Mul", ["values", "two"], "twice"),
        node("Add", ["twice", "values"], "thrice"),
        node("ScatterND", ["x", "rows", "thrice"], "y"),
      ],
      initializers: constants,
    });
    expect(operators(model)).not.toContain("ScatterND");
  });

  it("takes as many values as there are positions, however they were counted", async () => {
    const read = [
      ...positions,
      node("GatherND", ["x", "rows"], "values"),
      node("Mul", ["values", "two"], "twice"),
    ];
    await agrees({
      inputs,
      nodes: [
        ...read,
        node("Reshape", ["mask", "flat"], "truths"),
        node("Cast", ["truths"], "whole", { to: int(Type.INT64) }),
        node("ReduceSum", ["whole"], "count"),
        node("Expand", ["twice", "count"], "repeated"),
        node("ScatterND", ["x", "rows", "repeated"], "y"),
      ],
      initializers: [...constants, longs("flat", [-1])],
    });
    await agrees({
      inputs,
      nodes: [
        ...read,
        node("Shape", ["rows"], "shape"),
        node("Gather", ["shape", "none"], "count"),
        node("Unsqueeze", ["count", "start"], "until"),
        node("Slice", ["twice", "start", "until", "start"], "part"),
        node("ScatterND", ["x", "rows", "part"], "y"),
      ],
      initializers: [...constants, long("none", 0), longs("start", [0])],
    });
  });

  it("adds to them", async () => {
    await agrees({
      inputs,
      nodes: [
        ...positions,
        node("GatherND", ["x", "rows"], "values"),
        node("ScatterND", ["x", "rows", "values"], "y", { reduction: text("add") }),
      ],
      initializers: constants,
      opset: 18,
    });
  });

  it("reads a table at a coordinate", async () => {
    await agrees({
      inputs,
      nodes: [
        ...positions,
        ...coordinate("series", 2),
        node("Unsqueeze", ["series", "axis"], "tuples"),
        node("GatherND", ["table", "tuples"], "values"),
        node("ScatterND", ["x", "rows", "values"], "y"),
      ],
      initializers: [...constants, weight("table", 4)],
    });
  });

  it("writes elsewhere, as choosing the largest until they add up does", async () => {
    const parts: FileParts = {
      inputs,
      nodes: [
        node("TopK", ["x", "four"], ["sorted", "order"], { axis: int(-1) }),
        node("Greater", ["sorted", "zero"], "mask"),
        node("NonZero", ["mask"], "columns"),
        node("Transpose", ["columns"], "rows", { perm: ints([1, 0]) }),
        node("GatherND", ["order", "rows"], "at"),
        ...[0, 1].flatMap((axis) => [
          ...coordinate(`c${axis}`, axis),
          node("Unsqueeze", [`c${axis}`, "axis"], `t${axis}`),
        ]),
        node("Unsqueeze", ["at", "axis"], "t2"),
        node("Concat", ["t0", "t1", "t2"], "tuples", { axis: int(1) }),
        node("Shape", ["x"], "all"),
        node("ConstantOfShape", ["all"], "none", { value: tensorAttribute(truth(0)) }),
        node("Shape", ["at"], "count"),
        node("ConstantOfShape", ["count"], "yes", { value: tensorAttribute(truth(1)) }),
        node("ScatterND", ["none", "tuples", "yes"], "chosen"),
        node("Where", ["chosen", "x", "two"], "y"),
      ],
      initializers: [...constants, longs("four", [4])],
    };
    await agrees(parts);
  });

  it("is refused where the number of positions would show", () => {
    const list = { inputs, initializers: constants };
    expect(refusal({ ...list, nodes: [...positions, node("Identity", ["rows"], "y")] })).toMatch(
      /output "y": its length would depend on the input/,
    );
    const summed = [node("GatherND", ["x", "rows"], "values"), node("ReduceSum", ["values"], "y")];
    expect(refusal({ ...list, nodes: [...positions, ...summed] })).toMatch(
      /"ReduceSum_y" \(ReduceSum\): it computes with a list of the positions .* torch\.where/,
    );
    const given = [node("ScatterND", ["x", "rows", "given"], "y")];
    expect(
      refusal({
        inputs,
        nodes: [...positions, ...given],
        initializers: [...constants, floats("given", [2], [1, 2])],
      }),
    ).toMatch(/torch\.where/);
  });
});

function truth(value: number) {
  return { ...longs("", [value]), dataType: Type.BOOL, rawData: Uint8Array.of(value) };
}
