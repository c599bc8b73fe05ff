import { float32, randomInputs } from "@espalier/core";
import { modelChecks } from "@espalier/core/testing";
import { type TensorProto, TensorProto_DataType as Type } from "onnx-buf";
import { describe, expect, it } from "vitest";
import { float, int, ints } from "../src/onnx/proto.ts";
import { agrees, operators, refusal } from "./onnx-agreement.ts";
import { type FileParts, floats, longs, node, number, weight } from "./onnx-build.ts";

type Attributes = NonNullable<Parameters<typeof node>[3]>;

/** Self-attention over 5 tokens of width 6, its 4 heads of 3 channels side by side, as PyTorch exports it in opset 23. */
function selfAttention(keyHeads: number, attributes: Attributes = {}): FileParts {
  const heads = { q_num_heads: int(4), kv_num_heads: int(keyHeads) };
  return {
    inputs: { x: ["batch", 5, 6] },
    opset: 23,
    nodes: [
      node("MatMul", ["x", "wq"], "q"),
      node("MatMul", ["x", "wk"], "k"),
      node("MatMul", ["x", "wv"], "v"),
      node("Attention", ["q", "k", "v"], "a", { ...heads, ...attributes }),
      node("MatMul", ["a", "wo"], "y"),
    ],
    initializers: [
      weight("wq", 6, 12),
      weight("wk", 6, 3 * keyHeads),
      weight("wv", 6, 3 * keyHeads),
      weight("wo", 12, 6),
    ],
  };
}

describe("Attention as one node", () => {
  it.each([
    ["all heads with keys of their own", selfAttention(4)],
    ["heads that share keys", selfAttention(2)],
    ["a causal mask", selfAttention(4, { is_causal: int(1) })],
  ])("%s: agrees with ONNX Runtime, and its heads can be pruned", async (_, parts) => {
    const model = await agrees(parts);
    expect(operators(model)).toContain("Softmax");
    expect(model.dimensions.list.some(({ kind }) => kind === "head")).toBe(true);
    for (const check of modelChecks(model)) await check.run();
  });

  it("a cap on the scores", async () => {
    const capped = await agrees(selfAttention(4, { softcap: float(0.5) }));
    for (const check of modelChecks(capped)) await check.run();
  });

  it("refuses what it cannot keep, naming it", () => {
    expect(refusal(selfAttention(4, { softmax_precision: int(Type.FLOAT16) }))).toMatch(
      /\(Attention\): its attribute softmax_precision = 10 is not supported/,
    );
    expect(refusal(selfAttention(5))).toMatch(/4 heads of queries do not divide into 5 of keys/);
    expect(refusal(masked({ attributes: {}, mask: floats("m", [3, 2], Array(6).fill(0)) }))).toMatch(
      /its mask ends in 2 positions, but there are 3 keys/,
    );
  });
});

/** Attention of 3 tokens in 2 heads, with a mask that is a constant or an input. */
function masked({ attributes = {}, mask }: { attributes?: Attributes; mask?: TensorProto }): FileParts {
  const q = ["batch", 2, 3, 4];
  return {
    inputs: { q, k: q, v: q, ...(mask === undefined && { m: [3, 3] }) },
    opset: 23,
    nodes: [node("Attention", ["q", "k", "v", "m"], "y", attributes)],
    ...(mask !== undefined && { initializers: [mask] }),
  };
}

describe("a query that sees no key", () => {
  const [seen, hidden] = [0, Number.NEGATIVE_INFINITY];
  const rows = [seen, hidden, seen, hidden, hidden, hidden, hidden, seen, seen];
  const truth: TensorProto = {
    ...longs("m", []),
    dims: [3n, 3n],
    dataType: Type.BOOL,
    rawData: Uint8Array.from(rows, (row) => (row === seen ? 1 : 0)),
  };
  const float32Mask = floats("m", [3, 3], rows);
  const causal = { is_causal: int(1) };
  // A mask that leaves the first query only what its causality hides.
  const upper = [hidden, seen, seen, seen, seen, seen, hidden, seen, seen];

  it.each([
    ["truth values", { mask: truth }, undefined],
    ["numbers", { mask: float32Mask }, undefined],
    ["truth values and a causal mask", { mask: truth, attributes: causal }, undefined],
    [
      "numbers that hide what a causal mask does not",
      { mask: floats("m", [3, 3], upper), attributes: causal },
      undefined,
    ],
    ["numbers of the input", {}, rows],
    ["numbers of the input and a causal mask", { attributes: causal }, upper],
  ] as const)("gets zeros, with a mask of %s", async (_, parts, given) => {
    const model = await agrees(masked(parts), {}, (model, batch) => {
      const inputs = new Map(randomInputs(model, batch));
      return given === undefined ? inputs : inputs.set("m", float32([3, 3], given));
    });
    expect(model.graph.nodes.length).toBeGreaterThan(0);
  });

  it("keeps the file's own guard, whatever hides it", async () => {
    // Two masks each of which leaves every query a key, but not both; and one that is computed.
    const [a, c] = [
      floats("a", [2, 2], [seen, hidden, seen, seen]),
      floats("c", [2, 2], [hidden, seen, seen, seen]),
    ];
    const guarded = (...nodes: FileParts["nodes"][number][]): FileParts => ({
      inputs: { x: ["batch", 2, 2] },
      nodes: [
        node("MatMul", ["x", "x"], "s"),
        ...nodes,
        node("Softmax", ["t"], "p", { axis: int(-1) }),
        node("IsNaN", ["p"], "empty"),
        node("Where", ["empty", "zero", "p"], "y"),
      ],
      initializers: [a, c, number("zero", seen), number("hidden", hidden)],
    });
    await agrees(guarded(node("Add", ["s", "a"], "sa"), node("Add", ["sa", "c"], "t")));
    await agrees(
      guarded(
        node("ReduceMax", ["x"], "largest", { axes: ints([2]), keepdims: int(1) }),
        node("Greater", ["largest", "zero"], "known"),
        node("Where", ["known", "zero", "hidden"], "mask"),
        node("Add", ["s", "mask"], "t"),
      ),
    );
  });
});

describe("the largest of infinities", () => {
  it("is infinite, in what is written too", async () => {
    await agrees({
      inputs: { x: ["batch", 2, 3] },
      nodes: [
        node("Add", ["x", "hidden"], "low"),
        node("ReduceMax", ["low"], "largest", { axes: ints([2]), keepdims: int(1) }),
        node("IsInf", ["largest"], "infinite"),
        node("Cast", ["infinite"], "y", { to: int(Type.FLOAT) }),
      ],
      initializers: [number("hidden", Number.NEGATIVE_INFINITY)],
    });
  });
});
