import { fromBinary } from "@bufbuild/protobuf";
import {
  account,
  createModel,
  EspalierError,
  float32,
  isKept,
  type Model,
  prune,
  randomInputs,
  reference,
  runModel,
  zeros,
} from "@espalier/core";
import {
  adamOperator,
  add,
  Builder,
  batch,
  expand,
  mul,
  reduceMean,
  reshape,
  swapAxes,
} from "@espalier/core/graph";
import { removeDead } from "@espalier/core/pruning";
import { drawEncoder, largestError, linear, modelOf, relativeError } from "@espalier/core/testing";
import { sedimarkCrossformer } from "@espalier/models";
import { channel } from "@espalier/strategy-channel";
import { combined } from "@espalier/strategy-combined";
import { head } from "@espalier/strategy-head";
import { unstructured } from "@espalier/strategy-unstructured";
import { TensorProto_DataType as ElementType, type ModelProto, ModelProtoSchema } from "onnx-buf";
import { describe, expect, it } from "vitest";
import { metadataKeys, type PrunedMetadata, roundWeights, writeOnnx } from "../src/index.ts";
import { withOnnx } from "./onnx-runtime.ts";

const model = modelOf(drawEncoder({ width: 16, heads: 4, feedForward: 32 }), 1, "encoder");
const read = (file: Uint8Array): ModelProto => fromBinary(ModelProtoSchema, file);
const tensorsOf = (file: Uint8Array) =>
  new Map(
    read(file).graph!.initializer.map(({ name, dims, dataType, rawData }) => [
      name,
      { shape: dims.map(Number), type: dataType, raw: rawData.slice() },
    ]),
  );
const operatorsOf = (file: Uint8Array) => read(file).graph!.node.map(({ opType }) => opType);
const draw = (drawn: (b: Builder) => void): Model => {
  const b = Builder.create();
  drawn(b);
  return modelOf(b.build());
};
const agrees = (drawn: Model) =>
  withOnnx(writeOnnx(drawn), "onnxruntime-node", async (run) => {
    for (const size of [1, 3]) {
      const inputs = randomInputs(drawn, size);
      const got = await run(inputs);
      for (const [name, tensor] of await runModel(drawn, reference, inputs))
        expect(largestError(got.get(name)!, tensor)).toBeLessThan(1e-5);
    }
  });

describe("an ONNX file", () => {
  it("states IR and operator set, and keeps names and layouts of weights", () => {
    for (const [opset, ir] of [
      [17, 8n],
      [18, 8n],
      [19, 9n],
      [20, 9n],
      [21, 10n],
    ] as const) {
      const { irVersion, opsetImport } = read(writeOnnx(model, { opset }));
      expect([irVersion, opsetImport.map(({ version }) => version)]).toEqual([ir, [BigInt(opset)]]);
    }
    const tensors = tensorsOf(writeOnnx(model));
    for (const [name, { shape, data }] of model.tensors) {
      expect(tensors.get(name)!.shape).toEqual(shape);
      expect(new Float32Array(tensors.get(name)!.raw.buffer)).toEqual(data);
    }
  });

  it("has a dynamic batch axis, multiples of the batch included", async () => {
    const drawn = draw((b) => {
      const x = b.input("x", [batch, 7, 4]);
      const flat = reshape(b, x, [{ batch: 7 }, 4]);
      b.output("flat", linear(b, "layer", flat, 4, 2));
      b.output("back", swapAxes(b, reshape(b, mul(b, flat, flat), [4, { batch: 7 }]), 0, 1));
    });
    const { input, output } = read(writeOnnx(drawn)).graph!;
    const axes = [...input, ...output].map(({ type }) =>
      (type!.value.value as { shape: { dim: { value: { value: unknown } }[] } }).shape.dim.map(
        ({ value }) => value.value,
      ),
    );
    expect(axes).toEqual([
      ["batch", 7n, 4n],
      ["7*batch", 2n],
      ["7*batch", 4n],
    ]);
    await agrees(drawn);
  });

  it("asks for the batch size where a shape alone cannot say it", async () => {
    const drawn = draw((b) => {
      const x = b.input("x", [{ batch: 3 }, 4]);
      const position = b.parameter("position", [1, 5, 4], (shape, random) =>
        Float32Array.from({ length: shape.reduce((a, n) => a * n) }, random),
      );
      const rows = expand(b, position, [batch, 5, 4]);
      b.output("repeated", reshape(b, rows, [{ batch: 5 }, 4]));
      b.output("sixfold", expand(b, b.constant(float32([1, 2], [1, 2])), [{ batch: 6 }, 2]));
      b.output("mean", reduceMean(b, x, [0]));
    });
    expect(operatorsOf(writeOnnx(drawn)).filter((name) => name === "Shape")).toHaveLength(1);
    await agrees(drawn);
  });

  it("needs no arithmetic where it can", () => {
    expect(operatorsOf(writeOnnx(model)).filter((name) => name === "Shape" || name === "Concat")).toEqual([]);
  });

  it("names outputs that are an input, a tensor, or twice the same value", async () => {
    const drawn = draw((b) => {
      const x = b.input("x", [batch, 2]);
      const w = b.parameter("w", [2], (shape) => new Float32Array(shape[0]!).fill(2));
      const y = add(b, x, w);
      b.output("same", x);
      b.output("w", w);
      b.output("y", y);
      b.output("z", y);
    });
    await agrees(drawn);
    const clash = draw((b) => b.output("x", mul(b, b.input("x", [batch, 2]), b.constant(2))));
    expect(() => writeOnnx(clash)).toThrow(/"x" names an output/);
  });

  it("leaves out what no output depends on", () => {
    const lengths = { inputLength: 24, horizon: 12, series: 3, width: 16, feedForward: 24, heads: 4 };
    const whole = sedimarkCrossformer({ ...lengths, blocks: 2 }).initialize();
    const tensors = tensorsOf(writeOnnx(whole));
    expect([...whole.tensors.keys()].filter((name) => name.startsWith("encoder.encoder.0"))).not.toEqual([]);
    expect([...tensors.keys()].filter((name) => name.startsWith("encoder.encoder.0"))).toEqual([]);
    for (const name of removeDead(whole).tensors.keys()) expect(tensors.has(name)).toBe(true);
  });

  it("stores smaller tensors after structured pruning, and zeros for masked weights", async () => {
    const strategy = combined([head(), channel(), unstructured()]);
    const pruned = prune(model, await strategy.plan({ model, amount: 0.8 }));
    const tensors = tensorsOf(writeOnnx(pruned));
    expect(pruned.masks.size).toBeGreaterThan(0);
    for (const [name, { shape }] of pruned.tensors) expect(tensors.get(name)!.shape).toEqual(shape);
    for (const [name, mask] of pruned.masks) {
      const numbers = new Float32Array(tensors.get(name)!.raw.buffer);
      expect(numbers.every((value, i) => isKept(mask, i) || value === 0)).toBe(true);
    }
  });

  it("says what was pruned", async () => {
    const pruned = prune(model, await combined([head(), unstructured()]).plan({ model, amount: 0.8 }));
    const described = { ...pruned, metadata: { series: ["a", "b"] } };
    const file = read(writeOnnx(described));
    const props = new Map(file.metadataProps.map(({ key, value }) => [key, value]));
    expect(JSON.parse(props.get(metadataKeys.history)!)).toEqual(pruned.history);
    expect(JSON.parse(props.get(metadataKeys.metadata)!)).toEqual({ series: ["a", "b"] });
    const { parameters, dimensions, masks } = JSON.parse(props.get(metadataKeys.pruned)!) as PrunedMetadata;
    expect(parameters.dense).toBe(model.dense.parameters.total);
    expect(parameters.nonzero).toBe(account(pruned).parameters.nonzero);
    const heads = pruned.dimensions.list.filter(({ original }) => original !== undefined);
    expect(heads.length).toBeGreaterThan(0);
    expect(dimensions).toEqual(
      heads.map(({ name, size, original }) => ({ name, size, originalSize: 4, kept: original })),
    );
    expect(Object.keys(masks)).toEqual([...pruned.masks.keys()]);
    expect(file.docString).toMatch(/^encoder: \d+ of \d+ parameters, \d+\.\d % sparse$/);
  });

  it("is the same each time", () => {
    expect(writeOnnx(model)).toEqual(writeOnnx(model));
  });
});

describe("GELU in ONNX", () => {
  it("is one operator from opset 20 on, and decomposed before or when asked for", () => {
    expect(operatorsOf(writeOnnx(model))).toContain("Gelu");
    for (const options of [{ opset: 19 }, { gelu: "decomposed" as const }]) {
      const operators = operatorsOf(writeOnnx(model, options));
      expect(operators).not.toContain("Gelu");
      expect(operators).toContain("Erf");
    }
    expect(() => writeOnnx(model, { opset: 17, gelu: "operator" })).toThrow(/from opset 20 on/);
  });
});

describe("float16 weights in ONNX", () => {
  it("take half the bytes and compute what the rounded model does", async () => {
    const wide = modelOf(drawEncoder({ width: 64, heads: 4, feedForward: 128 }));
    const file = writeOnnx(wide, { weights: "float16" });
    expect(file.length).toBeLessThan(0.6 * writeOnnx(wide).length);
    const types = [...tensorsOf(file)].flatMap(([name, { type, shape }]) =>
      wide.tensors.has(name) && shape.length > 1 ? [type] : [],
    );
    expect(new Set(types)).toEqual(new Set([ElementType.FLOAT16]));
    const inputs = randomInputs(wide);
    const rounded = (await runModel(roundWeights(wide, "float16"), reference, inputs)).get("y")!;
    const exact = (await runModel(wide, reference, inputs)).get("y")!;
    await withOnnx(file, "onnxruntime-node", async (run) => {
      expect(relativeError((await run(inputs)).get("y")!, rounded)).toBeLessThan(1e-5);
    });
    expect(relativeError(rounded, exact)).toBeGreaterThan(1e-5);
    expect(relativeError(rounded, exact)).toBeLessThan(2e-3);
  });

  it("are refused where float16 cannot hold a number", () => {
    const name = "projection.weight";
    const { shape, data } = model.tensors.get(name)!;
    const large = float32(
      shape,
      data.map((_, i) => (i === 3 ? 1e6 : 1)),
    );
    const tensors = new Map(model.tensors).set(name, large);
    expect(() => writeOnnx({ ...model, tensors }, { weights: "float16" })).toThrow(
      /"projection.weight" holds 1000000/,
    );
  });
});

describe("what ONNX cannot say", () => {
  it("is refused with one line", () => {
    const b = Builder.create();
    const w = b.tensor("w", "buffer", { dtype: "float32", shape: [3] });
    b.output("y", mul(b, w, b.input("x", [batch, 3])));
    b.update("w", add(b, w, b.constant(1)));
    const { graph, data } = b.build();
    const counting = createModel({ name: "counter", graph, tensors: new Map([...data, ["w", zeros([3])]]) });
    expect(() => writeOnnx(counting)).toThrow(/updates "w" after each run.*evaluation graph/);
    const step = draw((d) => {
      const x = d.input("x", [3]);
      const inputs = [x, x, x, x, d.constant(1), d.constant(1)];
      const settings = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };
      d.output("y", d.applyAll(adamOperator, inputs, settings)[0]!);
    });
    expect(() => writeOnnx(step)).toThrow(EspalierError);
    expect(() => writeOnnx(step)).toThrow(/node Adam: operator Adam has no ONNX form/);
    expect(() => writeOnnx(model, { opset: 13 })).toThrow(/ONNX export, opset/);
  });
});
