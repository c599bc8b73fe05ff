import {
  float32,
  int32,
  type Model,
  randomInputs,
  reference,
  runModel,
  type TensorData,
} from "@espalier/core";
import { batch } from "@espalier/core/graph";
import { readOnnx } from "@espalier/formats";
import { TensorProto_DataType as Type } from "onnx-buf";
import { describe, expect, it } from "vitest";
import { float, int, ints } from "../src/onnx/proto.ts";
import { agrees, operators, refusal, roles } from "./onnx-agreement.ts";
import {
  type FileParts,
  floats,
  long,
  longs,
  node,
  number,
  onnxFile,
  tensorAttribute,
  weight,
} from "./onnx-build.ts";

/** Truth values and integers, computed from shapes, constants and inputs. */

const cast = (from: string, to: string, type: Type) => node("Cast", [from], to, { to: int(type) });
const square = { x: ["batch", 4, 4] } as const;

describe("constants that carry the batch", () => {
  const mask: FileParts = {
    inputs: square,
    nodes: [
      node("Shape", ["x"], "all"),
      node("Gather", ["all", "zero"], "b"),
      node("Concat", ["b", "four", "four"], "shape", { axis: int(0) }),
      node("ConstantOfShape", ["shape"], "ones", { value: tensorAttribute(floats("", [1], [1])) }),
      node("Trilu", ["ones", "diagonal"], "above"),
      cast("above", "mask", Type.BOOL),
      node("Not", ["mask"], "kept"),
      node("And", ["mask", "mask"], "same"),
      node("Where", ["same", "low", "x"], "scores"),
      node("Softmax", ["scores"], "p"),
      cast("kept", "open", Type.FLOAT),
      node("Mul", ["p", "open"], "y"),
    ],
    initializers: [longs("zero", [0]), longs("four", [4]), long("diagonal", 1), number("low", -1e9)],
  };

  it("stay numbers of one sample: a causal mask with the batch is as small as one without", async () => {
    const model = await agrees(mask);
    expect(operators(model).toSorted()).toEqual(["Mul", "Softmax", "Where"]);
    for (const { shape } of model.tensors.values()) expect(shape[0] ?? 1).toBe(1);
  });

  it("are repeated over the batch where something needs them whole", async () => {
    const model = await agrees({
      ...mask,
      nodes: [
        ...mask.nodes.slice(0, 5),
        node("Concat", ["above", "x"], "both", { axis: int(1) }),
        node("Transpose", ["above"], "turned", { perm: ints([0, 2, 1]) }),
        node("MatMul", ["both", "turned"], "y"),
      ],
    });
    expect(operators(model)).toContain("Expand");
  });

  it("may be an output", async () => {
    await agrees({ ...mask, outputs: ["above", "y"] });
  });
});

describe("truth values that are computed from the input", () => {
  const nodes = [node("Greater", ["x", "limit"], "large"), node("Less", ["x", "none"], "small")];
  const initializers = [
    number("limit", 0.2),
    number("none", -0.1),
    longs("back", [1, 0]),
    longs("shape", [0, 4, 2, 2]),
    longs("pads", [0, 1, 0, 0, 0, 1]),
    longs("three", [3]),
    longs("one", [1]),
    longs("axis", [2]),
  ];

  it("are moved, joined, chosen from and cast like numbers", async () => {
    await agrees({
      inputs: square,
      nodes: [
        ...nodes,
        node("Concat", ["large", "small"], "both", { axis: int(2) }),
        node("Slice", ["both", "one", "three", "axis"], "part"),
        node("Gather", ["part", "back"], "picked", { axis: int(2) }),
        node("Or", ["large", "small"], "choice"),
        node("Reshape", ["choice", "shape"], "apart"),
        node("Pad", ["large", "pads"], "wider"),
        cast("picked", "a", Type.INT64),
        cast("a", "aa", Type.FLOAT),
        cast("apart", "c", Type.FLOAT),
        cast("wider", "w", Type.FLOAT),
        node("ReduceSum", ["aa"], "as", { keepdims: int(0) }),
        node("ReduceSum", ["c"], "cs", { keepdims: int(0) }),
        node("ReduceSum", ["w"], "ws", { keepdims: int(0) }),
        node("Add", ["as", "cs"], "s"),
        node("Add", ["s", "ws"], "t"),
        node("Mul", ["x", "t"], "y"),
      ],
      initializers,
    });
  });

  it("meet constants: known ones take part as they are", async () => {
    await agrees({
      inputs: square,
      nodes: [
        node("IsInf", ["x"], "infinite", { detect_negative: int(0) }),
        node("IsNaN", ["x"], "nan"),
        node("Or", ["infinite", "nan"], "odd"),
        node("Xor", ["odd", "always"], "even"),
        cast("even", "y", Type.FLOAT),
      ],
      initializers: [{ ...longs("always", [1]), dataType: Type.BOOL, rawData: Uint8Array.of(1) }],
    });
  });
});

describe("integers that are computed", () => {
  it("from the calendar of the input: cast, clipped, counted, and looked up", async () => {
    const hours = (model: Model, size: number): Map<string, TensorData> => {
      const inputs = randomInputs(model, size);
      return new Map([
        ["x", { ...inputs.get("x")!, data: inputs.get("x")!.data.map((v) => Math.abs(v) * 20) }],
      ]);
    };
    const model = await agrees(
      {
        inputs: { x: ["batch", 5] },
        nodes: [
          cast("x", "hour", Type.INT64),
          node("Min", ["hour", "last"], "bounded"),
          node("Mod", ["bounded", "seven"], "weekday"),
          node("Gather", ["hours.weight", "bounded"], "a"),
          node("Gather", ["days.weight", "weekday"], "b"),
          node("Add", ["a", "b"], "y"),
        ],
        initializers: [
          long("last", 23),
          long("seven", 7),
          weight("hours.weight", 24, 3),
          weight("days.weight", 7, 3),
        ],
      },
      {},
      hours,
    );
    expect(roles(model)).toMatchObject({ "hours.weight": "trainable", "days.weight": "trainable" });
  });

  it("count as integers do, and are written so", async () => {
    const parts = (nodes: FileParts["nodes"]): FileParts => ({
      inputs: { x: ["batch", 6] },
      types: { x: Type.INT32 },
      nodes: [...nodes, cast("whole", "y", Type.FLOAT)],
      initializers: ["minus", "three", "seven"].map((name, i) => ({
        ...longs(name, []),
        dataType: Type.INT32,
        dims: [],
        rawData: new Uint8Array(Int32Array.of([-3, 3, 7][i]!).buffer),
      })),
    });
    const given = (_model: Model, size: number) =>
      new Map([
        [
          "x",
          int32(
            [size, 6],
            Array.from({ length: 6 * size }, (_, i) => 5 * (i % 9) - 17),
          ),
        ],
      ]);
    const chains: FileParts["nodes"][] = [
      [
        node("Add", ["x", "seven"], "a"),
        node("Sub", ["minus", "a"], "b"),
        node("Mul", ["b", "three"], "whole"),
      ],
      [node("Div", ["x", "three"], "whole")],
      [node("Mod", ["x", "three"], "whole")],
      [node("Mod", ["x", "minus"], "whole")],
      [node("Mod", ["x", "minus"], "whole", { fmod: int(1) })],
      [node("Neg", ["x"], "a"), node("Abs", ["a"], "b"), node("Max", ["b", "seven", "x"], "whole")],
      [node("Clip", ["x", "minus", "seven"], "a"), node("Sign", ["a"], "whole")],
      [node("Pow", ["x", "three"], "whole")],
      [node("Greater", ["x", "three"], "t"), node("Where", ["t", "x", "minus"], "whole")],
      [node("Unsqueeze", ["x", "axes"], "a"), node("Squeeze", ["a", "axes"], "whole")],
    ];
    for (const nodes of chains) {
      const { initializers = [], ...rest } = parts(nodes);
      await agrees({ ...rest, initializers: [...initializers, longs("axes", [1])] }, {}, given);
    }
  });

  it("are summed and compared exactly", async () => {
    const large = (model: Model, size: number): Map<string, TensorData> => {
      const { shape, data } = randomInputs(model, size).get("x")!;
      // float32 holds no neighbours of this size apart.
      return new Map([
        [
          "x",
          int32(
            shape,
            Int32Array.from(data, (_, i) => 2 ** 25 + ((i * 7) % 11)),
          ),
        ],
      ]);
    };
    for (const [operator, count] of [
      ["ReduceSum", 7],
      ["ReduceMax", 1],
      ["ReduceMin", 1],
    ] as const)
      await agrees(
        {
          inputs: { x: ["batch", 7, 3] },
          types: { x: Type.INT32 },
          nodes: [
            node(operator, ["x", "axes"], "reduced", { keepdims: int(0) }),
            node("Sub", ["reduced", "offset"], "small"),
            cast("small", "y", Type.FLOAT),
          ],
          initializers: [
            longs("axes", [1]),
            {
              ...long("offset", 0),
              dataType: Type.INT32,
              rawData: new Uint8Array(Int32Array.of(count * 2 ** 25).buffer),
            },
          ],
          opset: 18,
        },
        {},
        large,
      );
  });

  it("point into each sample's part of an axis that samples were merged into", async () => {
    // How PyTorch writes x[arange(batch), positions].
    await agrees({
      inputs: { x: ["batch", 6, 4] },
      nodes: [
        node("ReduceMax", ["x"], "peaks", { axes: ints([2]), keepdims: int(0) }),
        node("ArgMax", ["peaks"], "at", { axis: int(1), keepdims: int(0) }),
        node("Shape", ["x"], "shape"),
        node("Gather", ["shape", "zero"], "batch"),
        node("Range", ["zero", "batch", "one"], "samples"),
        node("Mul", ["samples", "six"], "starts"),
        node("Add", ["at", "starts"], "rows"),
        node("Flatten", ["x"], "flat", { axis: int(2) }),
        node("Gather", ["flat", "rows"], "y"),
      ],
      initializers: [long("zero", 0), long("one", 1), long("six", 6)],
    });
  });

  it("become ones at their positions", async () => {
    const model = await agrees({
      inputs: { x: ["batch", 5, 4] },
      nodes: [
        node("ArgMax", ["x"], "largest", { axis: int(2), keepdims: int(0) }),
        node("OneHot", ["largest", "four", "values"], "hot", { axis: int(1) }),
        node("Transpose", ["hot"], "back", { perm: ints([0, 2, 1]) }),
        node("Mul", ["back", "x"], "y"),
      ],
      initializers: [long("four", 4), floats("values", [2], [-1, 2])],
    });
    expect(operators(model)).toContain("Equal");
  });

  it("are steps: no gradient passes, and nothing is trained through them", () => {
    const model = readOnnx(
      onnxFile({
        inputs: { x: [batch.batch, 3] },
        nodes: [node("Floor", ["x"], "a"), node("Round", ["a"], "b"), node("Ceil", ["b"], "y")],
      }),
    );
    for (const { operator } of model.graph.nodes)
      if (operator.name !== "Scale")
        expect(operator.gradient?.({} as never, {} as never)).toEqual([undefined]);
  });
});

describe("tables that nobody trains", () => {
  it("are as long as what is read of them", async () => {
    const rows = Array.from({ length: 500 }, (_, row) => [
      Math.sin(row),
      Math.cos(row),
      Math.sin(row / 9),
      Math.cos(row / 9),
    ]);
    const model = await agrees({
      inputs: { x: ["batch", 6, 4] },
      nodes: [
        node("Slice", ["pe", "start", "end", "axis"], "part"),
        node("Add", ["x", "part"], "a"),
        node("Gather", ["learnt", "rows"], "own"),
        node("Add", ["a", "own"], "y"),
      ],
      initializers: [
        floats("pe", [1, 500, 4], rows.flat()),
        weight("learnt", 9, 4),
        longs("rows", [0, 1, 2, 3, 4, 5]),
        longs("start", [0]),
        longs("end", [6]),
        longs("axis", [1]),
      ],
    });
    expect(roles(model)).toMatchObject({ pe: "buffer", learnt: "trainable" });
    expect(model.tensors.get("pe")!.shape).toEqual([1, 6, 4]);
    expect(model.tensors.get("learnt")!.shape).toEqual([9, 4]);
  });
});

describe("numbers at their limits", () => {
  it("zero divided by its norm stays zero", async () => {
    for (const p of [1, 2]) {
      await agrees({
        inputs: { x: ["batch", 3] },
        nodes: [
          node("Mul", ["x", "nothing"], "zero"),
          node("LpNormalization", ["zero"], "y", { axis: int(-1), p: int(p) }),
        ],
        initializers: [floats("nothing", [3], [0, 0, 0])],
      });
    }
  });

  it("those of newer operator sets: RMSNormalization, Swish", async () => {
    for (const axis of [-1, 1]) {
      await agrees({
        inputs: { x: ["batch", 4, 3] },
        opset: 23,
        nodes: [node("RMSNormalization", ["x", "gamma"], "y", { axis: int(axis), epsilon: float(1e-4) })],
        initializers: [
          axis === 1
            ? floats(
                "gamma",
                [4, 3],
                Array.from({ length: 12 }, (_, i) => 1 + i / 10),
              )
            : floats("gamma", [3], [0.5, 1, 2]),
        ],
      });
    }
    await agrees({
      inputs: { x: ["batch", 3] },
      opset: 24,
      nodes: [node("Swish", ["x"], "y", { alpha: float(1.5) })],
    });
  });

  it("infinities are told apart as asked", async () => {
    for (const [negative, positive] of [
      [0, 1],
      [1, 0],
      [0, 0],
      [1, 1],
    ] as const) {
      const attributes = { detect_negative: int(negative), detect_positive: int(positive) };
      const infinite = floats("c", [4], [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, 1]);
      await agrees({
        inputs: { x: ["batch", 4] },
        nodes: [
          node("IsInf", ["c"], "k", attributes),
          cast("k", "kf", Type.FLOAT),
          node("Add", ["x", "c"], "z"),
          node("IsInf", ["z"], "t", attributes),
          cast("t", "tf", Type.FLOAT),
          node("Mul", ["tf", "half"], "h"),
          node("Add", ["kf", "h"], "y"),
        ],
        initializers: [infinite, number("half", 0.5)],
      });
    }
  });

  it("the remainder by an infinite divisor is right, whatever its sign", async () => {
    const infinite = Number.POSITIVE_INFINITY;
    const divisors = [infinite, -infinite, 0.3, -0.3];
    for (const fmod of [0, 1]) {
      const parts: FileParts = {
        inputs: { x: ["batch", 4] },
        nodes: [node("Mod", ["x", "d"], "y", { fmod: int(fmod) })],
        initializers: [floats("d", [4], divisors)],
      };
      const model = readOnnx(onnxFile(parts));
      const inputs = new Map([["x", float32([2, 4], [1, 1, 1, 1, -1, -1, -1, -1])]]);
      const y = (await runModel(model, reference, inputs)).get("y")!;
      const floored = [1, -infinite, 0.1, -0.2, infinite, -1, 0.2, -0.1];
      const truncated = [1, 1, 0.1, 0.1, -1, -1, -0.1, -0.1];
      (fmod === 0 ? floored : truncated).forEach((number, i) => {
        if (Number.isFinite(number)) expect(y.data[i]).toBeCloseTo(number, 5);
        else expect(y.data[i]).toBe(number);
      });
    }
  });

  it("an infinite triangle is cut without NaN", async () => {
    const model = readOnnx(
      onnxFile({
        inputs: square,
        nodes: [
          node("Div", ["x", "nothing"], "infinite"),
          node("Trilu", ["infinite"], "y", { upper: int(0) }),
        ],
        initializers: [number("nothing", 0)],
      }),
    );
    const y = (await runModel(model, reference, randomInputs(model, 1))).get("y")!;
    expect(y.data.some(Number.isNaN)).toBe(false);
  });
});

describe("operators that cannot be read", () => {
  const one = (opType: string, attributes = {}) =>
    refusal({ inputs: { x: ["batch", 3] }, nodes: [node(opType, ["x"], "y", attributes)] });

  it("are refused by one short line that says why and what to do", () => {
    expect(one("RandomNormalLike", { scale: float(1) })).toMatch(/draws random numbers.*expected value/);
    expect(one("Bernoulli")).toMatch(/draws random numbers/);
    expect(one("Scan")).toMatch(/repeats nodes.*fixed number of steps/);
    expect(one("Det")).toMatch(/Espalier does not have this operator\. Export the model without it\.$/);
    for (const name of ["Det", "RandomNormalLike"]) expect(one(name).length).toBeLessThan(260);
  });
});
