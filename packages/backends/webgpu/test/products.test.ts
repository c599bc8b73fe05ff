import { float32, randomInputs, reference, type TensorData } from "@espalier/core";
import {
  add,
  Builder,
  batch,
  gelu,
  matMul,
  randomStream,
  type Shape,
  swapAxes,
  type Value,
} from "@espalier/core/graph";
import { largestError, modelOf } from "@espalier/core/testing";
import { expect, it } from "vitest";
import { webgpu } from "../src/index.ts";
import { describeOnAdapter } from "./adapter.ts";

/** Draws a graph with output `y`, runs it on the backend and on the reference, and gives the largest relative error. */
async function errorOf(
  backend: ReturnType<typeof webgpu>,
  draw: (b: Builder) => Value,
  { batchSize = 1, tensors = new Map<string, TensorData>() } = {},
): Promise<number> {
  const b = Builder.create();
  b.output("y", draw(b));
  const drawing = b.build();
  const model = modelOf({ ...drawing, data: new Map([...drawing.data, ...tensors]) });
  const inputs = randomInputs(model, batchSize);
  const [expected, got] = await Promise.all(
    [reference, backend].map(async (on) => {
      const state = await on.createState(model.tensors);
      const program = await on.compile(model.graph, { state });
      const output = (await program.run(inputs)).get("y")!;
      program.dispose();
      state.dispose();
      return output;
    }),
  );
  return largestError(got!, expected!);
}

const random = (shape: readonly number[], name: string): TensorData => {
  const next = randomStream(3, name);
  return float32(
    shape,
    Array.from({ length: shape.reduce((n, extent) => n * extent, 1) }, () => 2 * next() - 1),
  );
};

/** A matrix of which some 16 × 16 blocks are zero: those whose number is divided by 3 or, with `most`, is not. */
function blocky(rows: number, columns: number, most: boolean): TensorData {
  const { data } = random([rows, columns], "blocky");
  return float32(
    [rows, columns],
    data.map((value, i) => {
      const block = Math.floor(i / columns / 16) * 7 + Math.floor((i % columns) / 16);
      return (block % 3 === 0) === most ? value : 0;
    }),
  );
}

describeOnAdapter("products", () => {
  const tilings = ["registers", "workgroup"] as const;

  it.each(tilings)("of operands that lie in any order, %s", async (tiling) => {
    const backend = webgpu({ tiling });
    const sides: [Shape, Shape][] = [
      [
        [batch, 36, 20],
        [batch, 20, 40],
      ],
      [
        [batch, 33, 19],
        [batch, 19, 35],
      ],
    ];
    for (const [left, right] of sides) {
      for (const turned of ["neither", "left", "right", "both"]) {
        const error = await errorOf(
          backend,
          (b) => {
            const turn = (name: string, shape: Shape, yes: boolean) => {
              const stored = yes ? [shape[0]!, shape[2]!, shape[1]!] : shape;
              const x = b.input(name, stored);
              return yes ? swapAxes(b, x, 1, 2) : x;
            };
            const a = turn("a", left, turned === "left" || turned === "both");
            return matMul(b, a, turn("b", right, turned === "right" || turned === "both"));
          },
          { batchSize: 2 },
        );
        expect(error, `${left[1]} × ${left[2]}, turned: ${turned}`).toBeLessThan(1e-5);
      }
    }
  });

  it.each([
    ["many small ones", [100, 33, 20], [100, 20, 36]],
    ["a tall one", [2100, 21], [21, 33]],
    ["a tall and wide one", [700, 32], [32, 580]],
  ] as const)("large enough for tiles in workgroup memory: %s", async (_name, left, right) => {
    const error = await errorOf(webgpu({ tiling: "workgroup" }), (b) => {
      return matMul(b, b.input("a", left), b.input("b", right));
    });
    expect(error).toBeLessThan(1e-5);
  });

  it.each(tilings)("skip zero blocks of weights, and only those, %s", async (tiling) => {
    const backend = webgpu({ tiling });
    for (const [rows, inner, columns] of [
      [5, 84, 70],
      [1100, 48, 64],
    ] as const) {
      for (const most of [true, false]) {
        const error = await errorOf(
          backend,
          (b) => {
            const weight = b.tensor("w", "buffer", { dtype: "float32", shape: [columns, inner] });
            const bias = b.constant(random([columns], "bias"), "bias");
            const x = b.input("x", [rows, inner]);
            return gelu(b, add(b, matMul(b, x, swapAxes(b, weight, 0, 1)), bias));
          },
          { tensors: new Map([["w", blocky(columns, inner, most)]]) },
        );
        expect(error, `${rows} rows`).toBeLessThan(1e-5);
      }
    }
  });

  it("see weights in blocks that were zero when the program was made", async () => {
    const b = Builder.create();
    const weight = b.tensor("w", "buffer", { dtype: "float32", shape: [32, 32] });
    b.output("y", matMul(b, b.input("x", [batch, 32]), weight));
    const { graph } = b.build();
    const backend = webgpu();
    const state = await backend.createState(new Map([["w", blocky(32, 32, true)]]));
    const program = await backend.compile(graph, { state });
    const x = random([3, 32], "x");
    await program.run(new Map([["x", x]]));
    const full = random([32, 32], "full");
    await state.write(new Map([["w", full]]));
    const got = (await program.run(new Map([["x", x]]))).get("y")!;
    const expected = float32(
      [3, 32],
      Array.from({ length: 96 }, (_, i) => {
        let sum = 0;
        for (let k = 0; k < 32; k++)
          sum += x.data[Math.floor(i / 32) * 32 + k]! * full.data[k * 32 + (i % 32)]!;
        return sum;
      }),
    );
    expect(largestError(got, expected)).toBeLessThan(1e-5);
  });

  it("of one operand with several weights of odd widths are one kernel, and right", async () => {
    const error = await errorOf(
      webgpu(),
      (b) => {
        const x = b.input("x", [batch, 6, 20]);
        const part = (name: string, columns: number) =>
          add(
            b,
            matMul(b, x, b.constant(random([20, columns], name), name)),
            b.constant(random([columns], `${name} bias`), `${name} bias`),
          );
        const [q, k] = [part("q", 7), part("k", 7)];
        return matMul(b, matMul(b, q, swapAxes(b, k, 1, 2)), part("v", 9));
      },
      { batchSize: 3 },
    );
    expect(error).toBeLessThan(1e-5);
  });
});
