import { float32, runModel } from "@espalier/core";
import { add, Builder, batch, relu } from "@espalier/core/graph";
import { linear, modelOf } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { noLimits } from "../src/threads/divide/limits.ts";
import { wasmWith } from "../src/wasm.ts";

/** Two layers that meet one token for each sequence, with biases, an activation and a residual. */
function perceptron(inputs: number, width: number) {
  const b = Builder.create();
  const x = b.input("x", [batch, inputs]);
  const hidden = relu(b, linear(b, "first", x, inputs, width));
  b.output("y", add(b, linear(b, "second", hidden, width, inputs), x));
  return modelOf(b.build());
}

it("meets panels by a kernel of its own", async () => {
  const model = perceptron(24, 36);
  const backend = wasmWith({});
  using state = await backend.createState(model.tensors);
  using program = await backend.compile(model.graph, { state });
  const kernels = (tokens: number) => program.describe!(tokens).calls.map(({ kernel }) => kernel);
  expect(kernels(1)).toContain("denseToken");
  expect(kernels(2)).not.toContain("denseToken");
});

describe.each(["relaxed", "plain"] as const)("one token, with %s SIMD", (simd) => {
  // Panels have 6 or 4 outputs, and three are computed at a time.
  it.each([
    [1, 1],
    [3, 5],
    [6, 12],
    [7, 13],
    [18, 19],
    [24, 36],
    [61, 40],
  ])("has the digits that it has among others: %i inputs, width %i", async (inputs, width) => {
    const model = perceptron(inputs, width);
    const rows = Array.from({ length: 5 * inputs }, (_, i) => Math.sin(3 * i + 1));
    for (const threads of [1, 2]) {
      const backend = wasmWith({ simd, threads }, noLimits);
      const run = async (data: number[]) => {
        const given = new Map([["x", float32([data.length / inputs, inputs], data)]]);
        return [...(await runModel(model, backend, given)).get("y")!.data];
      };
      const together = await run(rows);
      for (let i = 0; i < 5; i++) {
        const own = (list: number[]) => list.slice(i * inputs, (i + 1) * inputs);
        expect(await run(own(rows))).toEqual(own(together));
      }
    }
  });
});
