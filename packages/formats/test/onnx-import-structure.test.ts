import { create } from "@bufbuild/protobuf";
import { int32, prunableDimensions, reference, runModel } from "@espalier/core";
import { modelChecks } from "@espalier/core/testing";
import { readOnnx } from "@espalier/formats";
import { FunctionProtoSchema, TensorProtoSchema, TensorProto_DataType as Type } from "onnx-buf";
import { describe, expect, it } from "vitest";
import { float, int, ints, text } from "../src/onnx/proto.ts";
import { agrees, operators, roles } from "./onnx-agreement.ts";
import { graphAttribute, long, longs, node, number, onnxFile, varied, weight } from "./onnx-build.ts";

const x = { x: ["batch", 6, 4] } as const;

describe("heads", () => {
  it("that share their values, and whose mean is taken, can go (Temporal Fusion Transformer)", async () => {
    const heads = (name: string, x: string, perm: readonly number[]) => [
      node("MatMul", ["x", `${x}.weight`], `${name}1`),
      node("Reshape", [`${name}1`, "split"], `${name}2`),
      node("Transpose", [`${name}2`], name, { perm: ints(perm) }),
    ];
    const model = await agrees({
      inputs: { x: ["batch", 6, 8] },
      nodes: [
        ...heads("q", "query", [0, 2, 1, 3]),
        ...heads("kT", "key", [0, 2, 3, 1]),
        node("MatMul", ["q", "kT"], "scores"),
        node("Softmax", ["scores"], "weights", { axis: int(-1) }),
        node("MatMul", ["x", "value.weight"], "v1"),
        node("Unsqueeze", ["v1", "one"], "v"),
        node("MatMul", ["weights", "v"], "mixed"),
        node("ReduceMean", ["mixed"], "mean", { axes: ints([1]), keepdims: int(0) }),
        node("MatMul", ["mean", "out.weight"], "y"),
      ],
      initializers: [
        weight("query.weight", 8, 12),
        weight("key.weight", 8, 12),
        weight("value.weight", 8, 4),
        weight("out.weight", 4, 5),
        longs("split", [0, 6, 3, 4]),
        longs("one", [1]),
      ],
    });
    expect(roles(model)).toMatchObject({ head_shares: "buffer" });
    const [found, ...others] = prunableDimensions(model.dimensions).filter(({ kind }) => kind === "head");
    expect(others).toEqual([]);
    expect(found).toMatchObject({ name: "query.weight[1].0", size: 3 });
    for (const check of modelChecks(model)) await check.run();
  });

  it("of one projection for query, key and value are found behind a reshape and an index", async () => {
    const pick = (i: number, name: string) => node("Gather", ["apart", `i${i}`], name, { axis: int(0) });
    const model = await agrees({
      inputs: { x: ["batch", 6, 8] },
      nodes: [
        node("MatMul", ["x", "qkv.weight"], "all"),
        node("Reshape", ["all", "shape"], "split"),
        node("Transpose", ["split"], "apart", { perm: ints([2, 0, 3, 1, 4]) }),
        pick(0, "q"),
        pick(1, "k"),
        pick(2, "v"),
        node("Transpose", ["k"], "kT", { perm: ints([0, 1, 3, 2]) }),
        node("MatMul", ["q", "kT"], "scores"),
        node("Div", ["scores", "root"], "scaled"),
        node("Softmax", ["scaled"], "weights", { axis: int(-1) }),
        node("MatMul", ["weights", "v"], "mixed"),
        node("Transpose", ["mixed"], "tokens", { perm: ints([0, 2, 1, 3]) }),
        node("Reshape", ["tokens", "joined"], "flat"),
        node("MatMul", ["flat", "out.weight"], "y"),
      ],
      initializers: [
        weight("qkv.weight", 8, 24),
        weight("out.weight", 8, 5),
        longs("shape", [0, 6, 3, 2, 4]),
        longs("joined", [0, 6, 8]),
        number("root", 2),
        ...[0, 1, 2].map((i) => long(`i${i}`, i)),
      ],
    });
    expect(prunableDimensions(model.dimensions).map(({ name, kind, size }) => [name, kind, size])).toEqual([
      ["qkv.weight[1].0", "head", 2],
      ["qkv.weight[1].1", "query-key-channel", 4],
      ["qkv.weight[1].5", "value-channel", 4],
    ]);
  });
});

describe("structure", () => {
  it("takes the branch that a constant condition asks for", async () => {
    const branch = (operator: string) =>
      graphAttribute({ outputs: ["r"], nodes: [node(operator, ["x"], "r")] });
    const model = await agrees({
      inputs: x,
      nodes: [
        node("Shape", ["x"], "shape"),
        node("Size", ["shape"], "rank"),
        node("Equal", ["rank", "three"], "condition"),
        node("If", ["condition"], "y", { then_branch: branch("Relu"), else_branch: branch("Tanh") }),
      ],
      initializers: [long("three", 3)],
    });
    expect(operators(model)).toEqual(["Relu"]);
  });

  it("puts functions in the place of their calls, attributes and all", async () => {
    const body = node("LeakyRelu", ["a"], "c");
    const referring = {
      ...body,
      attribute: [{ ...node("X", [], "x", { alpha: float(0) }).attribute[0]!, refAttrName: "slope" }],
    };
    const leaky = create(FunctionProtoSchema, {
      name: "Leaky",
      domain: "test.functions",
      input: ["a"],
      output: ["c"],
      attribute: ["slope"],
      node: [referring],
      opsetImport: [{ domain: "", version: 17n }],
    });
    await agrees({
      inputs: x,
      nodes: [node("Leaky", ["x"], "y", { slope: float(0.3) }, "test.functions")],
      functions: [leaky],
      domains: ["test.functions"],
    });
  });

  it("takes lists of values apart", async () => {
    await agrees({
      inputs: x,
      nodes: [
        node("SplitToSequence", ["x", "two"], "parts", { axis: int(1) }),
        node("SequenceAt", ["parts", "last"], "third"),
        node("SequenceConstruct", ["third", "third"], "pair"),
        node("ConcatFromSequence", ["pair"], "y", { axis: int(2) }),
      ],
      initializers: [long("two", 2), long("last", -1)],
    });
  });

  it("reads weights, convolutions in groups, and windows on borders", async () => {
    await agrees({
      inputs: { x: ["batch", 4, 11] },
      nodes: [
        node("Conv", ["x", "w", "b"], "c", {
          group: int(2),
          pads: ints([1, 2]),
          strides: ints([2]),
          dilations: ints([2]),
        }),
        node("MaxPool", ["c"], "m", { kernel_shape: ints([3]), strides: ints([2]), ceil_mode: int(1) }),
        node("AveragePool", ["m"], "y", {
          kernel_shape: ints([2]),
          pads: ints([1, 0]),
          count_include_pad: int(1),
        }),
      ],
      initializers: [weight("w", 6, 2, 3), weight("b", 6)],
    });
  });

  it("reads sums by letters", async () => {
    await agrees({
      inputs: { x: ["batch", 3, 4], z: ["batch", 5, 4] },
      nodes: [
        node("Einsum", ["x", "z"], "s", { equation: text("bid, bjd -> bij") }),
        node("Einsum", ["s", "w"], "y", { equation: text("...j,jk->k...") }),
      ],
      initializers: [weight("w", 5, 2)],
    });
  });

  it("chooses by masks, and by what is computed", async () => {
    const mask = create(TensorProtoSchema, {
      name: "mask",
      dataType: Type.BOOL,
      dims: [4n],
      int32Data: [1, 0, 1, 1],
    });
    const model = await agrees({
      inputs: x,
      nodes: [
        node("Where", ["mask", "x", "low"], "a"),
        node("Greater", ["a", "limit"], "large"),
        node("Where", ["large", "a", "x"], "b"),
        node("Where", ["mask", "b", "none"], "c"),
        node("Softmax", ["c"], "y"),
      ],
      initializers: [
        mask,
        number("low", -1e9),
        number("limit", 0.2),
        number("none", Number.NEGATIVE_INFINITY),
      ],
    });
    expect(operators(model)).toEqual(["Where", "Greater", "Where", "Add", "Softmax"]);
  });

  it("looks embeddings up by integers, those from the end included", async () => {
    const bytes = onnxFile({
      inputs: { x: ["batch", 3] },
      types: { x: Type.INT64 },
      nodes: [node("Gather", ["embedding.weight", "x"], "y")],
      initializers: [weight("embedding.weight", 5, 2)],
    });
    const model = readOnnx(bytes);
    const y = (await runModel(model, reference, new Map([["x", int32([1, 3], [0, 4, -1])]]))).get("y")!;
    const rows = varied(10, "embedding.weight".length).map(Math.fround);
    expect(Array.from(y.data)).toEqual([...rows.slice(0, 2), ...rows.slice(8), ...rows.slice(8)]);
  });
});
