import { create } from "@bufbuild/protobuf";
import { int32, prunableDimensions, randomInputs, reference, runModel } from "@espalier/core";
import { modelChecks } from "@espalier/core/testing";
import { readOnnx } from "@espalier/formats";
import {
  AttributeProto_AttributeType as AttributeType,
  FunctionProtoSchema,
  TensorProtoSchema,
  TensorProto_DataType as Type,
} from "onnx-buf";
import { describe, expect, it } from "vitest";
import { float, int, ints, text } from "../src/onnx/proto.ts";
import { agrees, operators, refusal, roles } from "./onnx-agreement.ts";
import {
  type FileParts,
  floats,
  graphAttribute,
  long,
  longs,
  node,
  number,
  onnxFile,
  tensorAttribute,
  varied,
  weight,
} from "./onnx-build.ts";

const x = { x: ["batch", 6, 4] } as const;

describe("shapes that follow the batch", () => {
  it("are computed with the batch as a symbol", async () => {
    const model = await agrees({
      inputs: x,
      nodes: [
        node("Shape", ["x"], "shape"),
        node("Gather", ["shape", "zero"], "batch"),
        node("Mul", ["batch", "two"], "twice"),
        node("Unsqueeze", ["twice", "axes"], "twiceVector"),
        node("Cast", ["twiceVector"], "asFloat", { to: int(Type.FLOAT) }),
        node("Cast", ["asFloat"], "asLong", { to: int(Type.INT64) }),
        node("Concat", ["asLong", "rest"], "target", { axis: int(0) }),
        node("Reshape", ["x", "target"], "y"),
      ],
      initializers: [long("zero", 0), long("two", 2), longs("axes", [0]), longs("rest", [3, 4])],
    });
    expect(operators(model)).toEqual(["Reshape"]);
    expect(model.graph.nodes[0]!.attributes).toEqual({ shape: [{ batch: 2 }, 3, 4] });
  });

  it("are compared, and chosen from, as long as every batch size gives the same answer", async () => {
    // How PyTorch writes expand(-1, 6, 4): the target is chosen from ones and the shape asked for.
    await agrees({
      inputs: x,
      nodes: [
        node("Shape", ["x"], "shape"),
        node("ConstantOfShape", ["three"], "ones", { value: tensorAttribute(longs("", [1])) }),
        node("Mul", ["ones", "minusOne"], "open"),
        node("Equal", ["shape", "open"], "isOpen"),
        node("Where", ["isOpen", "ones", "shape"], "target"),
        node("Expand", ["token", "target"], "rows"),
        node("Add", ["x", "rows"], "y"),
      ],
      initializers: [longs("three", [3]), long("minusOne", -1), weight("token", 1, 1, 4)],
    });
  });

  it("make means over the batch", async () => {
    await agrees({
      inputs: x,
      nodes: [node("ReduceMean", ["x"], "y", { axes: ints([0, 1]), keepdims: int(1) })],
    });
  });

  it("are refused where nothing fixed can be said of them", () => {
    const parts = (operator: string): FileParts => ({
      inputs: x,
      nodes: [
        node("Shape", ["x"], "shape"),
        node("Gather", ["shape", "zero"], "batch"),
        node(operator, ["batch", "three"], "odd"),
        node("Unsqueeze", ["odd", "axes"], "target"),
        node("ConstantOfShape", ["target"], "y"),
      ],
      initializers: [long("zero", 0), long("three", 3), longs("axes", [0])],
    });
    expect(refusal(parts("Add"))).toMatch(
      /node "Add_odd" \(Add\): its result would depend on the batch size\.$/,
    );
    expect(refusal(parts("Div"))).toMatch(/\(Div\): its result would depend on the batch size/);
  });
});

describe("a table of which parts are read", () => {
  it("is a tensor for each part", async () => {
    const angle = (i: number) => Math.floor(i / 4) / (1 + (i % 2) * 9);
    const waves = Array.from({ length: 40 }, (_, i) => (i % 4 < 2 ? Math.sin : Math.cos)(angle(i)));
    const model = await agrees({
      inputs: { x: ["batch", 5, 4] },
      nodes: [
        node("Slice", ["table", "zero", "five", "zero"], "first"),
        node("Slice", ["table", "five", "ten", "zero"], "second"),
        node("Mul", ["x", "first"], "product"),
        node("Add", ["product", "second"], "y"),
      ],
      initializers: [
        floats("table", [10, 4], waves),
        longs("zero", [0]),
        longs("five", [5]),
        longs("ten", [10]),
      ],
    });
    expect(roles(model)).toEqual({ table: "buffer", table_1: "buffer" });
  });
});

describe("open axes", () => {
  const mean: FileParts = {
    inputs: { x: ["n", "time", 4] },
    nodes: [node("ReduceMean", ["x"], "y", { axes: ints([1]) })],
  };

  it("need a length, all but the batch", async () => {
    expect(refusal(mean)).toMatch(/input "x" leaves axis 1 open \("time"\).*\{ axes: \{ "time": 96 \} \}/);
    const model = await agrees(mean, { axes: { time: 6 } });
    expect(model.graph.values[model.graph.inputs[0]!.value]!.shape).toEqual([{ batch: 1 }, 6, 4]);
  });

  it("may be the batch wherever they are", async () => {
    const last = { ...mean, inputs: { x: [3, "n"] } };
    const model = await agrees({ ...last, nodes: [node("Mul", ["x", "x"], "y")] });
    expect(model.graph.values[model.graph.inputs[0]!.value]!.shape).toEqual([3, { batch: 1 }]);
    const told = readOnnx(onnxFile(mean), { axes: { n: 5, time: "batch" } });
    expect(told.graph.values[told.graph.inputs[0]!.value]!.shape).toEqual([5, { batch: 1 }, 4]);
  });
});

describe("a batch of one size", () => {
  const tokens: FileParts = {
    inputs: { x: [1, 6, 4] },
    nodes: [
      // [T, B, D] → [T·B, D] → [T, B, D], as nn.MultiheadAttention has it.
      node("Transpose", ["x"], "timeFirst", { perm: ints([1, 0, 2]) }),
      node("Reshape", ["timeFirst", "matrix"], "rows"),
      node("MatMul", ["rows", "w"], "product"),
      node("Reshape", ["product", "apart"], "again"),
      node("Transpose", ["again"], "y", { perm: ints([1, 0, 2]) }),
    ],
    initializers: [longs("matrix", [6, 4]), longs("apart", [6, 1, 3]), weight("w", 4, 3)],
  };

  it("is kept, or opened: then samples are what they are one by one", async () => {
    const kept = await agrees(tokens);
    expect(kept.graph.values[kept.graph.inputs[0]!.value]!.shape).toEqual([1, 6, 4]);
    const opened = readOnnx(onnxFile(tokens), { openBatch: true });
    const inputs = randomInputs(opened, 3);
    const whole = (await runModel(opened, reference, inputs)).get("y")!;
    const single = { ...inputs.get("x")!, shape: [1, 6, 4], data: inputs.get("x")!.data.slice(24, 48) };
    const second = (await runModel(kept, reference, new Map([["x", single]]))).get("y")!;
    expect(whole.shape).toEqual([3, 6, 3]);
    expect(Array.from(whole.data.slice(18, 36))).toEqual(Array.from(second.data));
  });

  it("cannot be opened where that would mix samples", () => {
    const mixing = { ...tokens, nodes: [node("Softmax", ["x"], "y", { axis: int(0) })] };
    expect(refusal(mixing, { openBatch: true })).toMatch(
      /its batch, which is 1 in the file, cannot be opened: node "Softmax_y" \(Softmax\): .* would mix the samples/,
    );
    expect(refusal({ ...mixing, inputs: { x: ["batch", 6, 4] } }, { openBatch: true })).not.toMatch(/opened/);
    expect(refusal({ ...tokens, inputs: { x: [1, 6, 4], z: [2, 4] } }, { openBatch: true })).toMatch(
      /its inputs have no common first axis/,
    );
  });

  it("is opened through constants that are the same for every sample, and only through those", () => {
    const slice = varied(20);
    const added = (numbers: readonly number[]): FileParts => ({
      inputs: { x: [2, 5, 4] },
      nodes: [
        node("Expand", ["token", "shape"], "tokens"),
        node("Concat", ["x", "tokens"], "longer", { axis: int(1) }),
        node("Slice", ["longer", "one", "end", "one"], "b"),
        node("Add", ["b", "table"], "y"),
      ],
      initializers: [
        floats("table", [2, 5, 4], numbers),
        weight("token", 1, 1, 4),
        longs("shape", [2, 1, 4]),
        longs("one", [1]),
        longs("end", [9]),
      ],
    });
    const model = readOnnx(onnxFile(added([...slice, ...slice])), { openBatch: true });
    expect(model.graph.values[model.graph.inputs[0]!.value]!.shape).toEqual([{ batch: 1 }, 5, 4]);
    expect(model.tensors.get("table")!.shape).toEqual([1, 5, 4]);
    const line = refusal(added([...slice, ...varied(20, 1)]), { openBatch: true });
    expect(line).toMatch(/node "Add_y" \(Add\): its constant differs from sample to sample/);
  });

  it("may be larger than one", () => {
    const opened = readOnnx(
      onnxFile({
        inputs: { x: [4, 6, 2] },
        nodes: [node("Reshape", ["x", "target"], "y")],
        initializers: [longs("target", [8, 3, 2])],
      }),
      { openBatch: true },
    );
    expect(opened.graph.nodes[0]!.attributes).toEqual({ shape: [{ batch: 2 }, 3, 2] });
    expect(opened.metadata).toMatchObject({ onnx: { openedBatch: 4 } });
  });
});

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

describe("weights", () => {
  it("of Gemm are transposed and scaled as it says", async () => {
    const inputs = { x: ["batch", 4] } as const;
    const initializers = [weight("w", 3, 4), weight("v", 4, 3), weight("b", 1, 3)];
    const model = await agrees({
      inputs,
      nodes: [node("Gemm", ["x", "w", "b"], "y", { transB: int(1), alpha: float(0.5), beta: float(2) })],
      initializers,
    });
    expect(roles(model)).toEqual({ w: "trainable", b: "trainable" });
    await agrees({ inputs, nodes: [node("Gemm", ["x", "v"], "y")], initializers });
    await agrees({
      inputs: { x: ["batch", 4], z: ["batch", 2] },
      nodes: [node("Gemm", ["x", "z"], "y", { transA: int(1) })],
    });
  });

  it("that lost their names get them back, in PyTorch's layout", async () => {
    const model = await agrees({
      inputs: x,
      nodes: [node("MatMul", ["x", "onnx::MatMul_17"], "p"), node("Add", ["layers.0.up.bias", "p"], "y")],
      initializers: [weight("onnx::MatMul_17", 4, 5), weight("layers.0.up.bias", 5)],
    });
    expect(model.tensors.get("layers.0.up.weight")!.shape).toEqual([5, 4]);
    expect(prunableDimensions(model.dimensions)).toEqual([]);
  });

  it("that are used several times stay one, whatever their numbers; other names are other weights", async () => {
    const norm = (from: string, to: string) =>
      node("LayerNormalization", [from, "norm1.weight", "norm1.bias"], to);
    const model = await agrees({
      inputs: x,
      nodes: [
        norm("x", "a"),
        norm("a", "b"),
        node("Identity", ["w"], "again"),
        node("MatMul", ["b", "w"], "c"),
        node("MatMul", ["c", "again"], "d"),
        node("MatMul", ["d", "w"], "e"),
        node("MatMul", ["e", "one"], "f"),
        node("Add", ["f", "one.bias"], "g"),
        node("Add", ["g", "one.bias"], "y"),
      ],
      initializers: [
        floats("norm1.weight", [4], [1, 1, 1, 1]),
        weight("norm1.bias", 4),
        weight("w", 4, 4),
        weight("one", 4, 1),
        weight("one.bias", 1),
      ],
    });
    const names = ["again", "norm1.bias", "norm1.weight", "one", "one.bias", "w"];
    expect(Object.keys(roles(model)).sort()).toEqual(names);
  });

  it("that exporters wrote several times, transposed or not, are one", async () => {
    const numbers = varied(12);
    const turned = numbers.map((_, i) => numbers[(i % 4) * 3 + Math.floor(i / 4)]!);
    const model = await agrees({
      inputs: { x: ["batch", 3] },
      nodes: [
        node("MatMul", ["x", "val_0"], "a"),
        node("Add", ["a", "up.bias"], "b"),
        node("MatMul", ["b", "val_1"], "c"),
        node("Add", ["c", "x"], "d"),
        node("MatMul", ["d", "val_2"], "e"),
        node("Add", ["e", "up.bias"], "y"),
      ],
      initializers: [
        floats("val_0", [3, 4], turned),
        floats("val_1", [4, 3], numbers),
        floats("val_2", [3, 4], turned),
        weight("up.bias", 4),
      ],
    });
    expect(roles(model)).toEqual({ "up.weight": "trainable", "up.bias": "trainable" });
  });

  it("of copied layers are two, though their numbers are equal", async () => {
    const layer = (i: number, from: string, to: string) => [
      node("MatMul", [from, `onnx::MatMul_${i}`], `p${i}`),
      node("Add", [`layers.${i}.up.bias`, `p${i}`], to),
    ];
    const model = await agrees({
      inputs: x,
      nodes: [
        node("Identity", ["onnx::MatMul_0"], "onnx::MatMul_1"),
        node("Identity", ["layers.0.up.bias"], "layers.1.up.bias"),
        ...layer(0, "x", "a"),
        ...layer(1, "a", "y"),
      ],
      initializers: [weight("onnx::MatMul_0", 4, 4), weight("layers.0.up.bias", 4)],
    });
    const names = [0, 1].flatMap((i) => [`layers.${i}.up.bias`, `layers.${i}.up.weight`]);
    expect(Object.keys(roles(model)).sort()).toEqual(names);
  });

  it("are told from tables and numbers, by rule or by option", async () => {
    const angle = (i: number) => Math.floor(i / 4) * 0.01 ** (Math.floor((i % 4) / 2) / 2);
    const table = floats(
      "pe",
      [1, 6, 4],
      Array.from({ length: 24 }, (_, i) => (i % 2 === 0 ? Math.sin : Math.cos)(angle(i))),
    );
    const parts: FileParts = {
      inputs: x,
      nodes: [
        node("Add", ["x", "pe"], "a"),
        node("Add", ["a", "position"], "b"),
        node("Mul", ["b", "onnx::Mul_3"], "c"),
        node("Mul", ["c", "val_7"], "d"),
        node("Constant", [], "k", { value: tensorAttribute(weight("", 4)) }),
        node("Add", ["d", "k"], "y"),
      ],
      initializers: [
        table,
        weight("position", 1, 6, 4),
        weight("onnx::Mul_3", 4),
        floats("val_7", [1], [0.5]),
      ],
    };
    expect(roles(await agrees(parts))).toEqual({
      pe: "buffer",
      position: "trainable",
      "onnx::Mul_3": "buffer",
      constant: "constant",
    });
    const told = readOnnx(onnxFile(parts), { trainable: ["pe"], buffers: ["pos*"] });
    expect(roles(told)).toMatchObject({ pe: "trainable", position: "buffer" });
    const guessed = (options: object) =>
      (readOnnx(onnxFile(parts), options).metadata.onnx as { guessed: object }).guessed;
    expect(guessed({})).toEqual({ trainable: ["position"], buffers: ["pe", "onnx::Mul_3"] });
    expect(guessed({ trainable: ["pe"], buffers: ["pos*"] })).toEqual({
      trainable: [],
      buffers: ["onnx::Mul_3"],
    });
    expect(() => readOnnx(onnxFile(parts), { buffers: ["table*"] })).toThrow(/matches "table\*"/);
  });

  it("are buffers where they are waves along an axis, and only then", () => {
    const table = (name: string, at: (row: number, column: number) => number) =>
      floats(
        name,
        [1, 12, 4],
        Array.from({ length: 48 }, (_, i) => at(Math.floor(i / 4), i % 4)),
      );
    const initializers = [
      table("cosines", (row, column) => Math.cos((row + 1) / 1.7 ** column)),
      table("noisy", (row, column) => Math.cos((row + 1) / 1.7 ** column) + 0.02 * ((row * 7 + column) % 3)),
      table("ramp", (row) => row),
      table("blank", () => 0),
      table("identity", (row, column) => (row === column ? 1 : 0)),
    ];
    const names = initializers.map(({ name }) => name);
    const nodes = names.map((name, i) =>
      node("Add", [i === 0 ? "x" : names[i - 1]!.toUpperCase(), name], i === 4 ? "y" : name.toUpperCase()),
    );
    expect(roles(readOnnx(onnxFile({ inputs: { x: ["batch", 12, 4] }, nodes, initializers })))).toEqual({
      cosines: "buffer",
      noisy: "trainable",
      ramp: "trainable",
      blank: "trainable",
      identity: "trainable",
    });
  });

  it("are read in every number format", async () => {
    const typed = (name: string, dataType: Type, fields: object) =>
      create(TensorProtoSchema, { name, dataType, dims: [2n], ...fields });
    const half = Uint16Array.of(0x3e00, 0xc000);
    const model = readOnnx(
      onnxFile({
        inputs: { x: ["batch", 2] },
        nodes: [
          node("Cast", ["half"], "h", { to: int(Type.FLOAT) }),
          node("Cast", ["double"], "d", { to: int(Type.FLOAT) }),
          node("Add", ["x", "h"], "a"),
          node("Add", ["a", "d"], "b"),
          node("Add", ["b", "single"], "c"),
          node("Gather", ["c", "index"], "e", { axis: int(1) }),
          node("Cast", ["flag"], "f", { to: int(Type.FLOAT) }),
          node("Mul", ["e", "f"], "y"),
        ],
        initializers: [
          typed("half", Type.FLOAT16, { rawData: new Uint8Array(half.buffer) }),
          typed("double", Type.DOUBLE, { doubleData: [0.25, 4] }),
          typed("single", Type.FLOAT, { floatData: [1, 2] }),
          typed("index", Type.INT64, { int64Data: [1n, 0n] }),
          typed("flag", Type.BOOL, { int32Data: [1, 0] }),
        ],
      }),
    );
    const given = new Map([
      ["x", { dtype: "float32" as const, shape: [1, 2], data: Float32Array.of(10, 20) }],
    ]);
    const y = (await runModel(model, reference, given)).get("y")!;
    expect(Array.from(y.data)).toEqual([20 - 2 + 4 + 2, 0]);
    expect(roles(model)).toMatchObject({ half: "trainable", double: "trainable", single: "trainable" });
  });
});

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
