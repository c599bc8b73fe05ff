import { modelChecks } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { float, int } from "../src/onnx/proto.ts";
import { agrees, operators, refusal } from "./onnx-agreement.ts";
import { type FileParts, node, weight } from "./onnx-build.ts";

/** Self-attention over 5 tokens of width 6, its 4 heads of 3 channels side by side, as PyTorch exports it in opset 23. */
function selfAttention(
  keyHeads: number,
  attributes: NonNullable<Parameters<typeof node>[3]> = {},
): FileParts {
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

  it("refuses what it cannot keep, naming it", () => {
    const { nodes, ...rest } = selfAttention(4);
    const [q, k, v, , out] = nodes;
    const softcap = node("Attention", ["q", "k", "v"], "a", {
      q_num_heads: int(4),
      kv_num_heads: int(4),
      softcap: float(2),
    });
    expect(refusal({ ...rest, nodes: [q!, k!, v!, softcap, out!] })).toMatch(/softcap is not supported/);
    expect(refusal(selfAttention(5))).toMatch(/4 heads of queries do not divide into 5 of keys/);
  });
});
