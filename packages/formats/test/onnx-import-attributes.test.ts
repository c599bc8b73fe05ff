import { create } from "@bufbuild/protobuf";
import { FunctionProtoSchema, TensorProto_DataType as Type } from "onnx-buf";
import { describe, expect, it } from "vitest";
import { float, int, ints, text } from "../src/onnx/proto.ts";
import { agrees, refusal } from "./onnx-agreement.ts";
import { floats, longs, node, weight } from "./onnx-build.ts";

/** Attributes that the rule of an operator does not know. */

type Attributes = NonNullable<Parameters<typeof node>[3]>;

const one = (opType: string, attributes: Attributes) => ({
  inputs: { x: ["batch", 4, 6] },
  nodes: [node(opType, ["x"], "y", attributes)],
});

describe("an attribute that no rule reads", () => {
  it.each([
    [
      "Relu",
      { slope: float(0.25) },
      /^ONNX file: node "Relu_y" \(Relu\): its attribute slope = 0\.25 is not supported\.$/,
    ],
    ["Softmax", { axis: int(-1), mask: ints([1, 0]) }, /\(Softmax\): its attribute mask = \[1, 0\] is not/],
    ["ArgMax", { axis: int(1), select_last_index: int(1) }, /attribute select_last_index = 1 is not/],
    ["Tanh", { form: text("fast\ntanh") }, /attribute form = "fast\?tanh" is not/],
  ] as const)("of %s is refused by name and value", (opType, attributes, line) => {
    expect(refusal(one(opType, attributes))).toMatch(line);
  });

  it("is refused for the call of a function that does not have it", () => {
    const called = (attributes: Attributes) => ({
      ...one("Twice", {}),
      nodes: [node("Twice", ["x"], "y", attributes, "own")],
      domains: ["own"],
      functions: [
        create(FunctionProtoSchema, {
          name: "Twice",
          domain: "own",
          input: ["a"],
          output: ["b"],
          attribute: ["unused"],
          node: [node("Add", ["a", "a"], "b")],
          opsetImport: [{ domain: "", version: 17n }],
        }),
      ],
    });
    expect(refusal(called({ unused: int(2) }))).toBe("not refused");
    expect(refusal(called({ by: int(2) }))).toMatch(/\(Twice\): its attribute by = 2 is not supported/);
  });

  it("is let pass with the value that it has by default, and where it has no effect", async () => {
    const none = refusal({
      inputs: { x: ["batch", 4] },
      nodes: [
        node("SequenceEmpty", [], "empty", { dtype: int(Type.FLOAT) }),
        node("SequenceLength", ["empty"], "length"),
        node("Cast", ["length"], "zero", { to: int(Type.FLOAT) }),
        node("Add", ["x", "zero"], "y"),
      ],
    });
    expect(none).toBe("not refused");
    expect(refusal(one("ArgMax", { axis: int(1), select_last_index: int(0) }))).toBe("not refused");
    await agrees({
      inputs: { x: ["batch", 4, 6] },
      nodes: [
        node("Dropout", ["x"], "kept", { seed: int(3) }),
        node("Cast", ["kept"], "as", { to: int(Type.FLOAT), saturate: int(0) }),
        node("AveragePool", ["as"], "pooled", { kernel_shape: ints([3]), count_include_pad: int(1) }),
        node("Resize", ["pooled", "", "scales"], "resized", {
          mode: text("linear"),
          nearest_mode: text("floor"),
          cubic_coeff_a: float(-0.75),
          extrapolation_value: float(0),
        }),
        node("TopK", ["resized", "k"], ["best", "at"], { sorted: int(1) }),
        node("ReduceMean", ["best", "axes"], "mean", { noop_with_empty_axes: int(1) }),
        node("LayerNormalization", ["mean", "g"], "y", { axis: int(-2), stash_type: int(1) }),
      ],
      initializers: [
        floats("scales", [3], [1, 1, 2]),
        longs("k", [2]),
        longs("axes", [2]),
        weight("g", 4, 1),
      ],
      opset: 19,
    });
  });
});
