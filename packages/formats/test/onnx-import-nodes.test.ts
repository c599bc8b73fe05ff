import { AttributeProto_AttributeType as AttributeType, TensorProto_DataType as Type } from "onnx-buf";
import { describe, expect, it } from "vitest";
import { int, ints } from "../src/onnx/proto.ts";
import { agrees, operators, refusal, roles } from "./onnx-agreement.ts";
import { type FileParts, longs, node, number, weight } from "./onnx-build.ts";

const x = { x: ["batch", 6, 4] } as const;

describe("operators written as many nodes", () => {
  const erf = (name: string, by: string, operator: string) => [
    node(operator, ["x", by], `${name}0`),
    node("Erf", [`${name}0`], `${name}1`),
    node("Add", [`${name}1`, "one"], name),
  ];
  const constants = [
    number("one", 1),
    number("half", 0.5),
    number("root", Math.SQRT2),
    number("inverse", Math.SQRT1_2),
  ];

  it.each([
    [
      "x·(1 + erf)·½",
      [...erf("e", "root", "Div"), node("Mul", ["x", "e"], "p"), node("Mul", ["p", "half"], "y")],
    ],
    [
      "(½·x)·(1 + erf)",
      [...erf("e", "inverse", "Mul"), node("Mul", ["half", "x"], "p"), node("Mul", ["p", "e"], "y")],
    ],
    [
      "½·(1 + erf)·x",
      [...erf("e", "inverse", "Mul"), node("Mul", ["e", "half"], "p"), node("Mul", ["p", "x"], "y")],
    ],
  ])("GELU as %s is one node", async (_name, nodes) => {
    expect(operators(await agrees({ inputs: x, nodes, initializers: constants }))).toEqual(["Gelu"]);
  });

  it("what merely looks like GELU stays as it is", async () => {
    const nodes = [...erf("e", "half", "Mul"), node("Mul", ["x", "e"], "p"), node("Mul", ["p", "half"], "y")];
    expect(operators(await agrees({ inputs: x, nodes, initializers: constants }))).toContain("Erf");
  });

  const normalization = (square: "Pow" | "Mul", quotient: "Div" | "Reciprocal") => [
    node("ReduceMean", ["x"], "mean", { axes: ints([-1]) }),
    node("Sub", ["x", "mean"], "centred"),
    square === "Pow"
      ? node("Pow", ["centred", "two"], "square")
      : node("Mul", ["centred", "centred"], "square"),
    node("ReduceMean", ["square"], "variance", { axes: ints([2]) }),
    node("Add", ["variance", "epsilon"], "shifted"),
    node("Sqrt", ["shifted"], "deviation"),
    ...(quotient === "Div"
      ? [node("Div", ["centred", "deviation"], "normal")]
      : [node("Reciprocal", ["deviation"], "inverse"), node("Mul", ["inverse", "centred"], "normal")]),
    node("Mul", ["normal", "norm.weight"], "scaled"),
    node("Add", ["norm.bias", "scaled"], "y"),
  ];
  const affine = [
    number("two", 2),
    number("epsilon", 1e-5),
    weight("norm.weight", 4),
    weight("norm.bias", 4),
  ];

  it.each([
    ["Pow", "Div"],
    ["Mul", "Reciprocal"],
  ] as const)("LayerNormalization by %s and %s is one node", async (square, quotient) => {
    const model = await agrees({ inputs: x, nodes: normalization(square, quotient), initializers: affine });
    expect(operators(model)).toEqual(["LayerNormalization"]);
    expect(roles(model)).toEqual({ "norm.weight": "trainable", "norm.bias": "trainable" });
  });

  it("softmax is one node, the largest value taken off or not", async () => {
    const shift = [node("ReduceMax", ["x"], "top", { axes: ints([1]) }), node("Sub", ["x", "top"], "z")];
    for (const [from, before] of [
      ["z", shift],
      ["x", []],
    ] as const) {
      const nodes = [
        ...before,
        node("Exp", [from], "e"),
        node("ReduceSum", ["e", "axis"], "s"),
        node("Div", ["e", "s"], "y"),
      ];
      const model = await agrees({ inputs: x, nodes, initializers: [longs("axis", [1])] });
      expect(operators(model)).toEqual(["Softmax"]);
    }
  });
});

describe("what cannot be read", () => {
  it.each<[string, FileParts, RegExp]>([
    [
      "an operator",
      { inputs: x, nodes: [node("Det", ["x"], "y")] },
      /^ONNX file: node "Det_y" \(Det\): Espalier does not have this operator\. Export the model without it\.$/,
    ],
    [
      "another domain's",
      { inputs: x, nodes: [node("Gelu", ["x"], "y", {}, "com.microsoft")] },
      /Espalier has no operators of "com\.microsoft"/,
    ],
    [
      "an old operator set",
      { inputs: x, nodes: [node("Relu", ["x"], "y")], opset: 12 },
      /opset 12, but only opset 13 to 28 can be read/,
    ],
    [
      "a new operator set",
      { inputs: x, nodes: [node("Relu", ["x"], "y")], opset: 29 },
      /opset 29, but only opset 13 to 28/,
    ],
    [
      "half precision",
      { inputs: x, types: { x: Type.FLOAT16 }, nodes: [node("Relu", ["x"], "y")] },
      /input "x" holds float16/,
    ],
    [
      "a computed shape",
      { inputs: { ...x, s: [3] }, types: { s: Type.INT64 }, nodes: [node("Reshape", ["x", "s"], "y")] },
      /\(Reshape\): its shape is computed from the input; it must be a constant/,
    ],
    [
      "training mode",
      {
        inputs: { x: ["batch", 4] },
        nodes: [node("BatchNormalization", ["x", "w", "w", "w", "w"], "y", { training_mode: int(1) })],
        initializers: [weight("w", 4)],
      },
      /Export the model in evaluation mode/,
    ],
    [
      "a cut through the batch",
      {
        inputs: x,
        nodes: [node("Slice", ["x", "a", "b", "a"], "y")],
        initializers: [longs("a", [0]), longs("b", [1])],
      },
      /that would select samples of a batch/,
    ],
    [
      "a missing name",
      { inputs: x, nodes: [node("Relu", ["z"], "y")] },
      /it reads "z", which no earlier node computes/,
    ],
    [
      "an unknown attribute type",
      { inputs: x, nodes: [node("Softmax", ["x"], "y", { axis: { type: AttributeType.FLOAT, f: 1 } })] },
      /its attribute "axis" has another type/,
    ],
  ])("says so in one line: %s", (_name, parts, message) => {
    const line = refusal(parts);
    expect(line).toMatch(message);
    expect(line).not.toContain("\n");
  });

  it("puts the file's name first, and refuses unknown options", () => {
    expect(refusal({ inputs: x, nodes: [node("Loop", ["x"], "y")] }, { name: "model.onnx" })).toMatch(
      /^model\.onnx: node/,
    );
    expect(refusal({ inputs: x, nodes: [] }, { openbatch: true } as never)).toMatch(
      /^ONNX import, openbatch/,
    );
  });
});
