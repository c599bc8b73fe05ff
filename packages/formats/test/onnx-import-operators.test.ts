import { float32, int32, type Model, randomInputs, reference, runModel } from "@espalier/core";
import { batch } from "@espalier/core/graph";
import { modelChecks } from "@espalier/core/testing";
import { readOnnx } from "@espalier/formats";
import { TensorProto_DataType as Type } from "onnx-buf";
import { describe, expect, it } from "vitest";
import { int, ints, text } from "../src/onnx/proto.ts";
import { agrees, refusal } from "./onnx-agreement.ts";
import { floats, long, longs, node, number, onnxFile, tensorAttribute, weight } from "./onnx-build.ts";

/** Operators that core has none of, drawn from those it has. */

describe("transposed convolutions", () => {
  it.each([
    [{}, [5, 4, 3]],
    [{ strides: ints([2]) }, [5, 4, 3]],
    [{ strides: ints([3]), pads: ints([1, 2]), output_padding: ints([1]) }, [5, 4, 4]],
    [{ strides: ints([2]), dilations: ints([2]) }, [5, 4, 3]],
    [{ strides: ints([2]), group: int(5) }, [5, 2, 2]],
    [{ strides: ints([2]), output_shape: ints([11]) }, [5, 4, 3]],
    [{ strides: ints([2]), output_shape: ints([14]) }, [5, 4, 3]],
    [{ strides: ints([2]), auto_pad: text("SAME_UPPER") }, [5, 4, 3]],
    [{ strides: ints([1]), pads: ints([3, 3]) }, [5, 4, 3]],
  ])("of attributes of case %#", async (attributes, shape) => {
    const model = await agrees({
      inputs: { x: ["batch", 5, 6] },
      nodes: [node("ConvTranspose", ["x", "up.weight", "up.bias"], "y", attributes)],
      initializers: [
        weight("up.weight", ...shape),
        weight("up.bias", shape[1]! * ("group" in attributes ? 5 : 1)),
      ],
    });
    expect(model.tensors.get("up.weight")!.shape).toEqual(shape);
  });

  it("over two axes, between layers whose channels are pruned", async () => {
    const model = await agrees({
      inputs: { x: ["batch", 2, 4, 3] },
      nodes: [
        node("Conv", ["x", "a.weight"], "a"),
        node("ConvTranspose", ["a", "up.weight", "up.bias"], "b", {
          strides: ints([2, 1]),
          pads: ints([0, 1, 1, 0]),
        }),
        node("Relu", ["b"], "c"),
        node("Conv", ["c", "o.weight"], "y"),
      ],
      initializers: [
        weight("a.weight", 6, 2, 1, 1),
        weight("up.weight", 6, 4, 3, 2),
        weight("up.bias", 4),
        weight("o.weight", 1, 4, 1, 1),
      ],
    });
    const free = model.dimensions.list.filter(({ fixed }) => fixed === undefined);
    expect(free.map(({ size }) => size).sort()).toEqual([4, 6]);
    for (const { run } of modelChecks(model)) await run();
  });
});

describe("sums by letters that occur twice", () => {
  it("take diagonals, of weights and of values", async () => {
    for (const equation of ["bijd,dd->bijd", "bijd,dd->bij"]) {
      await agrees({
        inputs: { x: ["batch", 3, 2, 4] },
        nodes: [node("Einsum", ["x", "w"], "y", { equation: text(equation) })],
        initializers: [weight("w", 4, 4)],
      });
    }
    for (const equation of ["bii->bi", "bii->b"]) {
      await agrees({
        inputs: { x: ["batch", 4, 4] },
        nodes: [node("Einsum", ["x"], "y", { equation: text(equation) })],
      });
    }
    const twice = refusal({
      inputs: { x: ["batch", 4] },
      nodes: [node("Einsum", ["x"], "y", { equation: text("bi->bii") })],
    });
    expect(twice).toMatch(/its result has a repeated letter/);
  });
});

describe("elements at positions of their own", () => {
  const given = (model: Model, batch: number) =>
    new Map([
      ["x", randomInputs(model, batch).get("x")!],
      [
        "i",
        int32(
          [batch, 2, 4],
          Array.from({ length: 8 * batch }, (_, at) => (at * 5) % 3),
        ),
      ],
    ]);

  it("are read, also from fewer positions than there are", async () => {
    await agrees(
      {
        inputs: { x: ["batch", 3, 5], i: ["batch", 2, 4] },
        types: { i: Type.INT32 },
        nodes: [node("GatherElements", ["x", "i"], "y", { axis: int(1) })],
      },
      {},
      given,
    );
  });

  it("are written and added, at known and at computed positions", async () => {
    const known = longs("k", [2, 0, 1, 1, 0, -1]);
    known.dims = [1n, 2n, 3n];
    await agrees({
      inputs: { x: [1, 3, 3] },
      nodes: [node("ScatterElements", ["x", "k", "u"], "y", { axis: int(1) })],
      initializers: [known, weight("u", 1, 2, 3)],
    });
    await agrees({
      inputs: { x: ["batch", 4, 3] },
      nodes: [
        node("TopK", ["x", "two"], ["largest", "best"], { axis: int(1) }),
        node("Mul", ["x", "nothing"], "zero"),
        node("Slice", ["x", "start", "two", "start1"], "part"),
        node("ScatterElements", ["zero", "best", "part"], "y", { axis: int(1) }),
      ],
      initializers: [longs("two", [2]), number("nothing", 0), longs("start", [0]), longs("start1", [1])],
    });
    const added = longs("k", [1, 0, 1, 1, 1, 0]);
    added.dims = [2n, 3n];
    await agrees({
      inputs: { x: [2, 3] },
      nodes: [node("ScatterElements", ["x", "k", "u"], "y", { axis: int(1), reduction: text("add") })],
      initializers: [added, floats("u", [2, 3], [1, 2, 3, 4, 5, 6])],
      opset: 18,
    });
  });
});

describe("tuples of positions", () => {
  it("may count from the end, also beside the number of the sample", async () => {
    // How PyTorch writes y[:, -1, 2] = 7.
    await agrees({
      inputs: { x: ["batch", 5, 4] },
      nodes: [
        node("Shape", ["x"], "shape"),
        node("Gather", ["shape", "zero"], "batch"),
        node("Range", ["zero", "batch", "one"], "samples"),
        node("Unsqueeze", ["samples", "last"], "first"),
        node("Shape", ["first"], "column"),
        node("Expand", ["row", "column"], "second"),
        node("Expand", ["series", "column"], "third"),
        node("Concat", ["first", "second", "third"], "tuples", { axis: int(-1) }),
        node("Shape", ["samples"], "count"),
        node("Expand", ["seven", "count"], "updates"),
        node("ScatterND", ["x", "tuples", "updates"], "y"),
      ],
      initializers: [
        ...[long("zero", 0), long("one", 1), longs("last", [-1]), number("seven", 7)],
        ...[longs("row", [-1]), longs("series", [2])],
      ],
    });
  });
});

describe("a constant that was written for one batch size", () => {
  it("counts for every size where all samples have it alike, though the file's batch is open", async () => {
    const half = Array.from({ length: 6 }, (_, i) => i / 4);
    await agrees(
      {
        inputs: { x: ["batch", 2, 3] },
        nodes: [node("Add", ["x", "both"], "y")],
        initializers: [floats("both", [1, 2, 3], half)],
      },
      {},
    );
    const one = { inputs: { x: ["batch", 2, 3] }, nodes: [node("Add", ["x", "both"], "y")] } as const;
    const differing = refusal({
      ...one,
      initializers: [floats("both", [2, 2, 3], [...half, ...half.map((v) => v + 1)])],
    });
    expect(differing).toMatch(/its constant differs from sample to sample/);
    expect(refusal({ ...one, initializers: [floats("both", [2, 2, 3], [...half, ...half])] })).toBe(
      "not refused",
    );
  });

  it("may be repeated, written to, or say where to write", async () => {
    const bySample = longs("tuples", [0, 3, 0, 1, 1, 3, 1, 1]);
    bySample.dims = [2n, 2n, 2n];
    const at = longs("at", [0, 2, 0, 2]);
    at.dims = [2n, 2n, 1n];
    const one = Array.from({ length: 8 }, (_, i) => i);
    const opened = readOnnx(
      onnxFile({
        inputs: { x: [2, 5, 4] },
        nodes: [
          node("Slice", ["x", "zero", "two", "dim"], "rows"),
          node("ScatterND", ["x", "tuples", "rows"], "written"),
          node("Constant", [], "start", {
            value: tensorAttribute(floats("", [2, 1, 4], [...one.slice(4), ...one.slice(4)])),
          }),
          node("Expand", ["start", "shape"], "states"),
          node("Concat", ["written", "states"], "longer", { axis: int(1) }),
          node("ReduceSum", ["x", "last"], "sums", { keepdims: int(1) }),
          node("Slice", ["sums", "zero", "two", "dim"], "values"),
          node("ScatterElements", ["nothing", "at", "values"], "scattered", { axis: int(1) }),
          node("Add", ["longer", "scattered"], "y"),
        ],
        initializers: [
          bySample,
          ...[longs("zero", [0]), longs("two", [2]), longs("dim", [1]), longs("last", [2])],
          ...[longs("shape", [2, 2, 4])],
          ...[floats("nothing", [2, 7, 1], new Array(14).fill(0)), at],
        ],
      }),
      { openBatch: true },
    );
    expect(opened.graph.values[opened.graph.outputs[0]!.value]!.shape).toEqual([batch, 7, 4]);
    const inputs = randomInputs(opened, 3);
    const whole = (await runModel(opened, reference, inputs)).get("y")!;
    const { data } = inputs.get("x")!;
    const alone = new Map([["x", float32([1, 5, 4], data.slice(20, 40))]]);
    const second = (await runModel(opened, reference, alone)).get("y")!;
    expect([...whole.data.slice(28, 56)]).toEqual([...second.data]);
  });
});

describe("windows", () => {
  const convolved = (attributes: Parameters<typeof node>[3], bias = 2) =>
    refusal({
      inputs: { x: ["batch", 2, 11] },
      nodes: [node("Conv", ["x", "w", "b"], "y", attributes)],
      initializers: [weight("w", 2, 2, 3), weight("b", bias)],
    });

  it("that contradict their weight, or do not move, are refused by the node's name", () => {
    expect(convolved({ kernel_shape: ints([3]) })).toBe("not refused");
    expect(convolved({ kernel_shape: ints([5]) })).toMatch(
      /^ONNX file: node "Conv_y" \(Conv\): its kernel_shape \[5\] is not that of its weight \[3\]\.$/,
    );
    expect(convolved({ strides: ints([0]) })).toMatch(/its strides \[0\] are out of range/);
    expect(convolved({ dilations: ints([1, 1]) })).toMatch(/its dilations \[1, 1\] are not 1 numbers/);
    expect(convolved({ auto_pad: text("same") })).toMatch(/its auto_pad "same" is none of NOTSET, VALID/);
    expect(convolved({ auto_pad: text("SAME_LOWER"), pads: ints([1, 1]) })).toMatch(
      /contradict its auto_pad/,
    );
    expect(convolved({}, 1)).toMatch(/its bias \[1\] does not fit 2 channels/);
  });
});

describe("parts of an axis", () => {
  const parts = (attributes: Parameters<typeof node>[3], opset: number, sizes?: readonly number[]) => ({
    inputs: { x: ["batch", 7] },
    nodes: [
      node("Split", sizes === undefined ? ["x"] : ["x", "sizes"], ["a", "b", "c"], {
        axis: int(1),
        ...attributes,
      }),
      node("Concat", ["c", "b", "a"], "y", { axis: int(1) }),
    ],
    initializers: sizes === undefined ? [] : [longs("sizes", sizes)],
    opset,
  });

  it("are as long as told, the last one shorter, or empty", async () => {
    await agrees(parts({ num_outputs: int(3) }, 18));
    await agrees(parts({}, 18, [3, 0, 4]));
  });

  it("that do not make up its outputs are refused", () => {
    expect(refusal(parts({ num_outputs: int(4) }, 18))).toMatch(/it has 3 outputs for 4 parts/);
    expect(refusal(parts({}, 18, [3, 4]))).toMatch(/it has 3 outputs for 2 parts/);
    expect(refusal(parts({}, 13))).toMatch(/its 7 positions do not divide into 3 equal parts/);
  });
});

describe("a normalisation over several axes", () => {
  it.each([
    [-1, [1], [6]],
    [-2, [6], [4, 6]],
    [-2, [4, 1], [6]],
    [-1, [4, 6], [6]],
    [-1, [4, 1], []],
  ])("from axis %i on with a scale of [%o] and a bias of [%o]", async (axis, scale, bias) => {
    await agrees({
      inputs: { x: ["batch", 4, 6] },
      nodes: [node("LayerNormalization", ["x", "norm.weight", "norm.bias"], "y", { axis: int(axis) })],
      initializers: [weight("norm.weight", ...scale), weight("norm.bias", ...bias)],
    });
  });

  it("is refused with a scale in another order", () => {
    const nodes = [node("LayerNormalization", ["x", "w"], "y", { axis: int(-2) })];
    expect(refusal({ inputs: { x: ["batch", 4, 6] }, nodes, initializers: [weight("w", 6, 4)] })).toMatch(
      /^ONNX file: node "LayerNormalization_y" \(LayerNormalization\): \[6, 4\] cannot be repeated to \[4, 6\]/,
    );
  });
});

describe("resampling to the nearest position", () => {
  const resized = (factor: number, attributes: Readonly<Record<string, string>>) => ({
    inputs: { x: ["batch", 2, 10] },
    nodes: [
      node(
        "Resize",
        ["x", "", "scales"],
        "y",
        Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, text(value)])),
      ),
    ],
    initializers: [floats("scales", [3], [1, 1, factor])],
    opset: 19,
  });

  it.each(["half_pixel", "pytorch_half_pixel", "asymmetric"])("of coordinates %s", async (coordinates) => {
    for (const factor of [0.3, 0.6, 1.3, 1.5, 2, 2.6])
      for (const rounding of ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
        await agrees(
          resized(factor, { coordinate_transformation_mode: coordinates, nearest_mode: rounding }),
        );
  });

  it("is refused where ONNX and its runtimes align corners differently", async () => {
    const corners = { mode: "linear", coordinate_transformation_mode: "align_corners" };
    await agrees(resized(2.6, corners));
    expect(refusal(resized(1.25, corners))).toMatch(
      /its scale makes 12\.5 of 10 positions.*Export it with sizes/,
    );
  });
});
