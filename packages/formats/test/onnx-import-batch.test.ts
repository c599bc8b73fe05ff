import { randomInputs, reference, runModel } from "@espalier/core";
import { readOnnx } from "@espalier/formats";
import { TensorProto_DataType as Type } from "onnx-buf";
import { describe, expect, it } from "vitest";
import { int, ints } from "../src/onnx/proto.ts";
import { agrees, operators, refusal } from "./onnx-agreement.ts";
import {
  type FileParts,
  floats,
  long,
  longs,
  node,
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

  it("is opened where only the inputs are open, and shapes still hold the size that was traced", async () => {
    const traced = (rows: number): FileParts => ({
      inputs: { x: ["batch", 6, 4] },
      nodes: [
        node("Reshape", ["x", "rows"], "flat"),
        node("MatMul", ["flat", "w"], "product"),
        node("Reshape", ["product", "apart"], "y"),
      ],
      initializers: [longs("rows", [rows, -1]), longs("apart", [2, 1, 5]), weight("w", 24, 5)],
    });
    const model = readOnnx(onnxFile(traced(2)));
    const outputs = model.graph.outputs.map(({ value }) => model.graph.values[value]!.shape);
    expect(outputs).toEqual([[{ batch: 1 }, 1, 5]]);
    expect(model.metadata).toMatchObject({ onnx: { openedBatch: 2 } });
    expect(refusal(traced(4))).toMatch(/\(MatMul\) of \[4, 6·batch\]/);
  });
});
