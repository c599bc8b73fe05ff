import { create } from "@bufbuild/protobuf";
import { prunableDimensions, reference, runModel } from "@espalier/core";
import { modelChecks } from "@espalier/core/testing";
import { readOnnx } from "@espalier/formats";
import { TensorProtoSchema, TensorProto_DataType as Type } from "onnx-buf";
import { describe, expect, it } from "vitest";
import { float, int } from "../src/onnx/proto.ts";
import { agrees, roles } from "./onnx-agreement.ts";
import {
  type FileParts,
  floats,
  longs,
  node,
  onnxFile,
  tensorAttribute,
  varied,
  weight,
} from "./onnx-build.ts";

const x = { x: ["batch", 6, 4] } as const;

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

  it("divided by their norms are masked with them", async () => {
    const model = await agrees({
      inputs: x,
      nodes: [
        node("ReduceL2", ["layer.direction", "rows"], "norms", { keepdims: int(1) }),
        node("Div", ["layer.direction", "norms"], "unit"),
        node("Mul", ["unit", "layer.length"], "weight"),
        node("Transpose", ["weight"], "turned"),
        node("MatMul", ["x", "turned"], "hidden"),
        node("Relu", ["hidden"], "active"),
        node("MatMul", ["active", "head.weight"], "y"),
      ],
      initializers: [
        weight("layer.direction", 5, 4),
        weight("layer.length", 5, 1),
        weight("head.weight", 5, 3),
        longs("rows", [1]),
      ],
      opset: 18,
    });
    expect(model.dimensions.list.some(({ size, fixed }) => size === 5 && fixed === undefined)).toBe(true);
    for (const { run } of modelChecks(model)) await run();
  });

  it("are one for two uses of a layer, as it is and transposed, with its one bias", async () => {
    const model = await agrees({
      inputs: { x: ["batch", 4] },
      nodes: [
        node("MatMul", ["x", "onnx::MatMul_7"], "product"),
        node("Add", ["product", "layer.bias"], "first"),
        node("Relu", ["x"], "active"),
        node("Gemm", ["active", "layer.weight", "layer.bias"], "second", { transB: int(1) }),
        node("Add", ["first", "second"], "y"),
      ],
      initializers: [
        floats("onnx::MatMul_7", [4, 3], varied(12)),
        floats(
          "layer.weight",
          [3, 4],
          Array.from({ length: 12 }, (_, i) => varied(12)[(i % 4) * 3 + Math.floor(i / 4)]!),
        ),
        weight("layer.bias", 3),
      ],
    });
    expect([...model.tensors.values()].filter(({ data }) => data.length === 12)).toHaveLength(1);
  });
});
