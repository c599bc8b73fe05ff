import { int32, randomInputs } from "@espalier/core";
import { modelChecks } from "@espalier/core/testing";
import { readOnnx } from "@espalier/formats";
import { TensorProto_DataType as Type } from "onnx-buf";
import { describe, expect, it } from "vitest";
import { int, ints } from "../src/onnx/proto.ts";
import { agrees, refusal, roles } from "./onnx-agreement.ts";
import { type FileParts, floats, longs, node, onnxFile, weight } from "./onnx-build.ts";

/** Rotary position embeddings as one node. */

const [tokens, heads] = [5, 2];
const swapped = ints([0, 2, 1, 3]);
type Attributes = NonNullable<Parameters<typeof node>[3]>;

/** Cosines and sines of some positions, as many as there are pairs of channels. */
function tables(shape: readonly number[], pairs: number) {
  const rows = shape.reduce((n, extent) => n * extent, 1);
  const angles = Array.from({ length: rows * pairs }, (_, i) => Math.floor(i / pairs) * 0.3 ** (i % pairs));
  return [
    floats("cos", [...shape, pairs], angles.map(Math.cos)),
    floats("sin", [...shape, pairs], angles.map(Math.sin)),
  ];
}

const positions = (...numbers: number[]) => {
  const tensor = longs("positions", numbers);
  return { ...tensor, dims: [1n, BigInt(numbers.length)] };
};

/** Self-attention whose queries and keys are turned, its heads of 4 channels side by side or apart. */
function attention(
  attributes: Attributes,
  pairs: number,
  apart: boolean,
  given: number[] | undefined,
): FileParts {
  const inputs = ["cos", "sin", ...(given === undefined ? [] : ["positions"])];
  const turned = (name: string) =>
    apart
      ? [
          node("MatMul", ["x", `w${name}`], `${name}0`),
          node("Reshape", [`${name}0`, "split"], `${name}1`),
          node("Transpose", [`${name}1`], `${name}2`, { perm: swapped }),
          node("RotaryEmbedding", [`${name}2`, ...inputs], name, attributes),
        ]
      : [
          node("MatMul", ["x", `w${name}`], `${name}0`),
          node("RotaryEmbedding", [`${name}0`, ...inputs], name, { ...attributes, num_heads: int(heads) }),
        ];
  return {
    // ONNX Runtime wants tables and positions for each sample, not for all.
    inputs: { x: [1, tokens, 6] },
    opset: 23,
    nodes: [
      ...turned("q"),
      ...turned("k"),
      node("MatMul", ["x", "wv"], "v0"),
      ...(apart
        ? [
            node("Reshape", ["v0", "split"], "v1"),
            node("Transpose", ["v1"], "v", { perm: swapped }),
            node("Attention", ["q", "k", "v"], "a0"),
            node("Transpose", ["a0"], "a1", { perm: swapped }),
            node("Reshape", ["a1", "merged"], "a"),
          ]
        : [node("Attention", ["q", "k", "v0"], "a", { q_num_heads: int(heads), kv_num_heads: int(heads) })]),
      node("MatMul", ["a", "wo"], "y"),
    ],
    initializers: [
      ...["q", "k", "v"].map((name) => weight(`w${name}`, 6, 4 * heads)),
      weight("wo", 4 * heads, 6),
      longs("split", [0, tokens, heads, 4]),
      longs("merged", [0, tokens, 4 * heads]),
      ...(given === undefined ? tables([1, tokens], pairs) : [...tables([9], pairs), positions(...given)]),
    ],
  };
}

describe("RotaryEmbedding", () => {
  const forms = [0, 1].flatMap((interleaved) =>
    [0, 2].flatMap((channels) =>
      [true, false].flatMap((apart) =>
        [undefined, [3, 4, 5, 6, 7]].map((given) => [interleaved, channels, apart, given] as const),
      ),
    ),
  );

  it.each(forms)(
    "interleaved %i, of %i channels, heads apart %s, positions %s",
    async (interleaved, channels, apart, given) => {
      const parts = attention(
        { interleaved: int(interleaved), ...(channels > 0 && { rotary_embedding_dim: int(channels) }) },
        (channels || 4) / 2,
        apart,
        given && [...given],
      );
      await agrees(parts);
      const model = readOnnx(onnxFile(parts), { openBatch: true });
      const kinds = model.dimensions.list.filter(({ fixed }) => fixed === undefined).map(({ kind }) => kind);
      expect(kinds).toContain("head");
      expect(kinds).toContain("value-channel");
      expect(Object.entries(roles(model)).filter(([, role]) => role === "trainable")).toHaveLength(4);
      for (const check of modelChecks(model)) await check.run();
    },
  );

  it("looks up positions that are computed", async () => {
    await agrees(
      {
        inputs: { x: ["batch", heads, tokens, 4], positions: ["batch", tokens] },
        types: { positions: Type.INT32 },
        opset: 23,
        nodes: [
          node("Cast", ["positions"], "long", { to: int(Type.INT64) }),
          node("RotaryEmbedding", ["x", "cos", "sin", "long"], "y"),
        ],
        initializers: tables([9], 2),
      },
      {},
      (model, batch) =>
        new Map([
          ["x", randomInputs(model, batch).get("x")!],
          [
            "positions",
            int32(
              [batch, tokens],
              Array.from({ length: batch * tokens }, (_, i) => (i * 4) % 9),
            ),
          ],
        ]),
    );
  });

  it("refuses tables of another width", () => {
    expect(refusal(attention({}, 1, true, undefined))).toMatch(
      /a table .* does not fit 4 turned channels of 4/,
    );
  });
});
