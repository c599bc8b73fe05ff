import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Worker } from "node:worker_threads";
import {
  EspalierError,
  float32,
  int32,
  type Model,
  randomInputs,
  runModel,
  type Tensors,
  zeros,
} from "@espalier/core";
import { Builder, batch, gather } from "@espalier/core/graph";
import { drawEncoder, largestError, linear, modelOf } from "@espalier/core/testing";
import { crossformer, iTransformer, patchTST } from "@espalier/models";
import { drawTrainingStep } from "@espalier/training";
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { pruned, sparsified } from "../bench/models.ts";
import { type WasmOptions, wasm } from "../src/index.ts";
import type { WasmState } from "../src/state.ts";
import { cut, cutByWeight } from "../src/threads/divide/cut.ts";
import { noLimits } from "../src/threads/divide/limits.ts";
import { wasmWith } from "../src/wasm.ts";

/** Every call that can be divided is, however small. */
const divided = (options: WasmOptions) => wasmWith(options, noLimits);

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

const size = { inputLength: 24, horizon: 10, series: 3, width: 32, feedForward: 44, heads: 4, layers: 1 };
const models: Record<string, Model> = {
  iTransformer: iTransformer({ ...size, dropout: 0.1 }).initialize(1),
  PatchTST: patchTST({ ...size, dropout: 0.2 }).initialize(1),
  Crossformer: crossformer({ ...size, segmentLength: 6, dropout: 0.1 }).initialize(1),
};

describe.each([2, 3])("%i threads", (threads) => {
  describe.each(Object.entries(models))("%s", (_name, model) => {
    it.each([
      ["dense", 0, 1],
      ["a fifth of its weights", 0.8, 1],
      ["60 % zeros in pairs", 0.6, 2],
      ["80 % zeros in quads", 0.8, 4],
    ] as const)("forecast what one forecasts with %s", async (_what, amount, block) => {
      const sparse = { ...model, tensors: sparsified(model, { amount, block }) };
      // Threads share each call of a small batch, and the parts of a large one.
      for (const size of [1, 37]) {
        const inputs = randomInputs(sparse, size);
        const [one, several] = await Promise.all([
          runModel(sparse, wasm(), inputs),
          runModel(sparse, divided({ threads }), inputs),
        ]);
        const error = largestError(several.get("output")!, one.get("output")!);
        // Parts of a batch of another size may add sparse rows up in another order.
        if (size === 37) expect(error).toBeLessThan(2e-6);
        else expect(error).toBe(0);
      }
    });
  });
});

describe.each(Object.entries(models))("%s", (_name, model) => {
  it.each([0, 0.8])(
    "trains to the bit on two threads as on one with %f of its weights masked",
    async (amount) => {
      const sparse = pruned(model, { amount, block: 1 });
      expect(await losses(sparse, 2)).toEqual(await losses(sparse, 1));
    },
  );
});

describe.each([
  ["rows", 0.8, 1],
  ["pairs", 0.7, 2],
  ["quads", 0.9, 4],
  ["panels", 0, 1],
] as const)("a product of many tokens, %s", (_format, amount, block) => {
  // Neighbouring counts: the last passes over tokens are of every width. 512 features lie on many pages.
  it.each([
    [16, [250, 255, 259, 263, 267, 271]],
    [512, [250, 266]],
  ] as const)("has the same bits on two threads, %i features", async (features, counts) => {
    for (const tokens of counts) {
      const b = Builder.create();
      b.output("y", linear(b, "layer", b.input("x", [batch, tokens, features]), features, 37));
      const drawn = modelOf(b.build());
      const sparse = { ...drawn, tensors: sparsified(drawn, { amount, block }) };
      const inputs = randomInputs(sparse, 1);
      const [one, two] = await Promise.all([
        runModel(sparse, wasm(), inputs),
        runModel(sparse, divided({ threads: 2 }), inputs),
      ]);
      expect(largestError(two.get("y")!, one.get("y")!)).toBe(0);
    }
  });
});

/** Losses of 50 steps, then all weights added up. */
async function losses(model: Model, threads: number): Promise<number[]> {
  const backend = divided({ threads });
  const { graph, tensors } = drawTrainingStep(model, { seed: 1 });
  const state = await backend.createState(new Map([...model.tensors, ...tensors]));
  const program = await backend.compile(graph, { state });
  const target = Float32Array.from({ length: 4 * size.horizon * size.series }, (_, i) => Math.sin(i));
  const inputs: Tensors = new Map([
    ...randomInputs(model, 4),
    ["target", float32([4, size.horizon, size.series], target)],
    ["learningRate", float32([], [1e-3])],
  ]);
  const result: number[] = [];
  for (let i = 0; i < 50; i++) {
    result.push((await program.run(inputs, { read: ["loss"] })).get("loss")!.data[0]!);
  }
  for (const { data } of (await state.read()).values()) {
    result.push([...data].reduce((sum, x) => sum + x, 0));
  }
  state.dispose();
  return result;
}

const model = modelOf(drawEncoder({ tokens: 5, width: 32, feedForward: 64, heads: 2 }));
const weight = "layers.0.feedForward1.weight";

describe("with threads", () => {
  it("a weight that is no number is an error, and the backend works on", async () => {
    const backend = divided({ threads: 2 });
    const state = await backend.createState(model.tensors);
    const program = await backend.compile(model.graph, { state });
    const inputs = randomInputs(model);
    const before = await program.run(inputs);
    const { shape, data } = model.tensors.get(weight)!;
    await state.write(
      new Map([
        [
          weight,
          float32(
            shape,
            data.map((w, i) => (i === 7 ? Number.NaN : w)),
          ),
        ],
      ]),
    );
    await expect(program.run(inputs)).rejects.toThrow(`tensor "${weight}" holds NaN at position 7`);
    await state.write(new Map([[weight, model.tensors.get(weight)!]]));
    expect((await program.run(inputs)).get("y")!.data).toEqual(before.get("y")!.data);
    state.dispose();
  });

  it("what fails on a worker is an error that names the node, and the program works on", async () => {
    const b = Builder.create();
    b.output("y", gather(b, b.input("x", [batch, 4]), b.input("i", [64], "int32"), 1));
    const { graph } = b.build();
    const backend = divided({ threads: 2 });
    const state = await backend.createState(new Map());
    const program = await backend.compile(graph, { state });
    const run = (i: number[]) =>
      program.run(
        new Map([
          ["x", float32([1, 4], [1, 2, 3, 4])],
          ["i", int32([64], i)],
        ]),
      );
    const good = Array.from({ length: 64 }, (_, i) => i % 4);
    for (const at of [0, 31, 32, 63]) {
      await expect(run(good.with(at, 4))).rejects.toThrow("an index is outside");
      await expect(run(good.with(at, -1))).rejects.toThrow(EspalierError);
      expect([...(await run(good)).get("y")!.data]).toEqual(good.map((i) => i + 1));
    }
    state.dispose();
  });

  it("a batch too large for memory is refused, and the program works on", async () => {
    const backend = divided({ threads: 2 });
    const state = await backend.createState(model.tensors);
    const program = await backend.compile(model.graph, { state });
    const huge = new Map([["x", { ...zeros([1, 5, 32]), shape: [2 ** 22, 5, 32] }]]);
    await expect(program.run(huge)).rejects.toThrow(EspalierError);
    expect((await program.run(randomInputs(model))).has("y")).toBe(true);
    state.dispose();
  });

  it("says how many run, and what they share", async () => {
    const backend = divided({ threads: 2 });
    expect(backend.name).toBe("wasm:2");
    expect((await backend.availability()).detail).toContain("2 threads");
    const state = await backend.createState(model.tensors);
    const program = await backend.compile(model.graph, { state });
    const { threads, calls } = program.describe!(1);
    expect(threads).toBe(2);
    expect(calls.find(({ node }) => node === "layers.0.feedForward1/MatMul")!.parts).toBeGreaterThan(1);
    state.dispose();
  });

  it("runs alone what its workers no longer run", async () => {
    const backend = divided({ threads: 3 });
    const state = await backend.createState(model.tensors);
    const program = await backend.compile(model.graph, { state });
    const inputs = randomInputs(model);
    const before = await program.run(inputs);
    (state as WasmState).heap.team!.dispose();
    expect((await program.run(inputs)).get("y")!.data).toEqual(before.get("y")!.data);
    state.dispose();
  });
});

describe("workers", () => {
  const node = process.getBuiltinModule("node:worker_threads");

  /** Node's threads, with another kind of worker. */
  function standIn(change: (Base: typeof Worker) => typeof Worker): void {
    const changed = { ...node, Worker: change(node.Worker) };
    vi.spyOn(process, "getBuiltinModule").mockReturnValue(changed);
  }

  it("end with their state", async () => {
    let ended = 0;
    standIn(
      (Base) =>
        class extends Base {
          constructor(...given: ConstructorParameters<typeof Worker>) {
            super(...given);
            this.on("exit", () => ended++);
          }
        },
    );
    const state = await divided({ threads: 3 }).createState(model.tensors);
    expect(ended).toBe(0);
    state.dispose();
    await vi.waitFor(() => expect(ended).toBe(2));
  });

  it("that do not start are an error", async () => {
    standIn(
      (Base) =>
        class extends Base {
          constructor(_source: string | URL, options?: ConstructorParameters<typeof Worker>[1]) {
            super("throw new Error('no room')", options);
          }
        },
    );
    await expect(divided({ threads: 2 }).createState(model.tensors)).rejects.toThrow(
      /^backend wasm: a worker could not be started: no room\. Use fewer threads, or one\.$/,
    );
    vi.restoreAllMocks();
    const state = await divided({ threads: 2 }).createState(model.tensors);
    state.dispose();
  });

  it("keep no process alive", async () => {
    const source = fileURLToPath(new URL("../src/index.ts", import.meta.url));
    const script = `const { wasm } = await import(${JSON.stringify(source)}); await wasm({ threads: 3 }).createState(new Map()); console.log("done");`;
    const flags = ["--conditions=@espalier/source", "--input-type=module", "--eval", script];
    const { stdout } = await promisify(execFile)(process.execPath, flags, { timeout: 30_000 });
    expect(stdout).toBe("done\n");
  });
});

describe("a page that may not share memory", () => {
  it("is told which headers it needs, and runs on one thread", async () => {
    vi.stubGlobal("crossOriginIsolated", false);
    const { available, detail } = await wasm({ threads: 2 }).availability();
    expect(available).toBe(false);
    expect(detail).toContain('"Cross-Origin-Opener-Policy: same-origin"');
    await expect(divided({ threads: 2 }).createState(model.tensors)).rejects.toThrow(
      /^backend wasm: threads: 2 needs shared memory.*"Cross-Origin-Embedder-Policy: require-corp", or use one thread\.$/,
    );
    expect((await runModel(model, wasm(), randomInputs(model))).has("y")).toBe(true);
  });
});

it.each([0, 1.5, -2, 1000, Number.NaN])("refuses %f threads", (threads) => {
  expect(() => wasm({ threads })).toThrow(EspalierError);
});

describe("ranges", () => {
  it("cover everything once, beginning at multiples of the grain", () => {
    const numbers = fc.tuple(fc.nat(1000), fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 64 }));
    fc.assert(
      fc.property(numbers, ([extent, parts, grain]) => {
        const ranges = cut(extent, parts, grain);
        expect(ranges.length).toBeLessThanOrEqual(parts);
        expect([0, ...ranges.map(([, end]) => end)]).toEqual([...ranges.map(([start]) => start), extent]);
        expect(ranges.every(([start, end]) => start % grain === 0 && end > start)).toBe(true);
      }),
    );
  });

  it("by weight cover every row once", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(50), { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 2, max: 6 }),
        (counts, parts) => {
          const starts = Int32Array.from([
            0,
            ...counts.map((_, i) => counts.slice(0, i + 1).reduce((a, b) => a + b, 0)),
          ]);
          const ranges = cutByWeight(starts, parts, 2);
          expect(ranges.length).toBeLessThanOrEqual(parts);
          expect([0, ...ranges.map(([, end]) => end)]).toEqual([
            ...ranges.map(([start]) => start),
            counts.length,
          ]);
        },
      ),
    );
  });
});
