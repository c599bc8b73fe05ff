import { readFile } from "node:fs/promises";
import { type Backend, randomInputs } from "@espalier/core";
import { drawEncoder, modelOf } from "@espalier/core/testing";
import { dLinear } from "@espalier/models";
import { drawTrainingStep } from "@espalier/training";
import { describe, expect, it } from "vitest";
import { wasm } from "../src/index.ts";

const model = modelOf(drawEncoder());
const inputs = randomInputs(model, 3);

async function outputOf(backend: Backend) {
  const state = await backend.createState(model.tensors);
  const program = await backend.compile(model.graph, { state });
  const output = (await program.run(inputs)).get("y")!;
  state.dispose();
  return output;
}

describe("kernels without those of training", () => {
  it.each(["relaxed", "plain"] as const)("give the same numbers, %s SIMD", async (simd) => {
    expect(await outputOf(wasm({ simd, training: false }))).toEqual(await outputOf(wasm({ simd })));
  });

  it("train nothing, and say so", async () => {
    const trained = dLinear({ inputLength: 8, horizon: 4, series: 2 }).initialize(1);
    const { graph, tensors } = drawTrainingStep(trained, { seed: 1 });
    const backend = wasm({ training: false });
    const state = await backend.createState(new Map([...trained.tensors, ...tensors]));
    const compiled = backend.compile(graph, { state, batch: [1] });
    await expect(compiled).rejects.toThrow(/kernel adam belongs to training, which \{ training: false \}/);
  });

  it.each(["relaxed", "plain"] as const)("may be given as a compiled file, %s SIMD", async (simd) => {
    const file = await readFile(new URL(`../kernels/forward-${simd}.wasm`, import.meta.url));
    const backend = wasm({ module: await WebAssembly.compile(file) });
    expect(await backend.availability()).toMatchObject({ available: true });
    const output = await outputOf(backend);
    const expected = await outputOf(wasm({ simd }));
    output.data.forEach((value, i) => {
      expect(value).toBeCloseTo(expected.data[i]!, 5);
    });
  });
});

describe("options", () => {
  it("are refused if nobody knows them, or they do not go together", async () => {
    expect(() => wasm({ thread: 2 } as never)).toThrow(
      'option "thread" is not known. Did you mean "threads"?',
    );
    const module = await WebAssembly.compile(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0));
    expect(() => wasm({ module, threads: 2 })).toThrow("a given module runs on one thread");
  });
});
