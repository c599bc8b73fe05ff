import { tfjs } from "@espalier/backend-tfjs";
import { type Backend, EspalierError, reference } from "@espalier/core";
import { expect, it } from "vitest";
import { measureBackends } from "../src/index.ts";

const quickly = { time: 3, samples: 2, rounds: 2 };

/** Runs so many times, then breaks; counts what is not given back. */
function fragile(runs: number): { backend: Backend; held: () => number } {
  let [left, held] = [runs, 0];
  const backend: Backend = {
    ...reference,
    name: "fragile",
    async compile(graph, options) {
      const program = await reference.compile(graph, options);
      held++;
      return {
        run(inputs, read) {
          if (left-- <= 0) throw new EspalierError("the device was lost");
          return program.run(inputs, read);
        },
        dispose() {
          held--;
          program.dispose();
        },
        [Symbol.dispose]: () => program.dispose(),
      };
    },
  };
  return { backend, held: () => held };
}

it("times a product and a training step on each backend", async () => {
  const [wasm] = await measureBackends([tfjs({ kind: "wasm" })], quickly);
  expect(wasm).toMatchObject({ name: "tfjs-wasm", gflops: expect.any(Number) });
  if (wasm === undefined || "error" in wasm) throw new Error("it was not timed");
  expect(wasm.gflops).toBeCloseTo((2 * 256 ** 3) / (wasm.product.median * 1e6), 5);
  expect(wasm.step.samples).toBeGreaterThan(0);
});

it.each([0, 1, 3])("a backend that breaks after %i runs costs itself only", async (runs) => {
  const { backend, held } = fragile(runs);
  const [wasm, broken] = await measureBackends([tfjs({ kind: "wasm" }), backend], quickly);
  expect(broken).toEqual({ name: "fragile", error: "the device was lost" });
  expect(wasm).toHaveProperty("gflops");
  expect(held()).toBe(0);
});
