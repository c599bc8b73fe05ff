import {
  EspalierError,
  float32,
  int32,
  randomInputs,
  reference,
  runModel,
  type Tensors,
  zeros,
} from "@espalier/core";
import { add, Builder, batch, expand, filled, gather, reduceSum } from "@espalier/core/graph";
import { drawEncoder, largestError, linear, modelOf } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { sparsified } from "../bench/models.ts";
import { wasm } from "../src/index.ts";
import type { WasmState } from "../src/state.ts";

const backend = wasm();
const model = modelOf(drawEncoder({ tokens: 5, width: 32, feedForward: 64, heads: 2 }));
const weight = "layers.0.feedForward1.weight";

async function prepared(tensors: Tensors = model.tensors) {
  const state = await backend.createState(tensors);
  return { state, program: await backend.compile(model.graph, { state }) };
}

function withWeight(change: (w: number, i: number) => number): Tensors {
  const { shape, data } = model.tensors.get(weight)!;
  return new Map([[weight, float32(shape, data.map(change))]]);
}

describe("errors", () => {
  it.each([Number.NaN, Number.POSITIVE_INFINITY])(
    "name the weight that holds %f, and the backend works on",
    async (bad) => {
      const { state, program } = await prepared();
      const inputs = randomInputs(model);
      const before = await program.run(inputs);
      await state.write(withWeight((w, i) => (i === 7 ? bad : w)));
      await expect(program.run(inputs)).rejects.toThrow(`tensor "${weight}" holds ${bad} at position 7`);
      await state.write(withWeight((w) => w));
      expect((await program.run(inputs)).get("y")!.data).toEqual(before.get("y")!.data);
    },
  );

  it("refuse a batch that is too large for memory, and the program works on", async () => {
    const b = Builder.create();
    const wide = 2 ** 28;
    b.output("y", reduceSum(b, expand(b, b.input("x", [batch, 1]), [batch, wide]), [1]));
    b.output("z", add(b, expand(b, b.input("v", [batch, 1]), [batch, wide]), b.constant(1)));
    const state = await backend.createState(new Map(b.build().data));
    const program = await backend.compile(b.build().graph, { state });
    const inputs = (size: number) =>
      new Map([
        ["x", zeros([size, 1])],
        ["v", zeros([size, 1])],
      ]);
    await expect(program.run(inputs(40), { read: ["y"] })).rejects.toThrow(
      /running at batch 40 needs 40960 MiB/,
    );
    const again = await backend.compile(model.graph, { state: await backend.createState(model.tensors) });
    expect((await again.run(randomInputs(model))).has("y")).toBe(true);
  });

  it("say that an index is outside its axis", async () => {
    const b = Builder.create();
    b.output("y", gather(b, b.input("x", [batch, 4]), b.input("i", [2], "int32"), 1));
    const { graph } = b.build();
    const state = await backend.createState(new Map());
    const program = await backend.compile(graph, { state });
    const run = (i: number[]) =>
      program.run(
        new Map([
          ["x", float32([1, 4], [1, 2, 3, 4])],
          ["i", int32([2], i)],
        ]),
      );
    await expect(run([0, 4])).rejects.toThrow(EspalierError);
    await expect(run([-1, 0])).rejects.toThrow("an index is outside");
    expect([...(await run([3, 0])).get("y")!.data]).toEqual([4, 1]);
  });

  it("refuse another backend's state", async () => {
    const state = await reference.createState(model.tensors);
    await expect(backend.compile(model.graph, { state })).rejects.toThrow("created by another backend");
  });
});

describe("a program", () => {
  it("allocates nothing after the first run of a batch size", async () => {
    const { state, program } = await prepared();
    const inputs = randomInputs(model, 4);
    await program.run(inputs);
    const { bytes } = (state as WasmState).heap;
    for (let i = 0; i < 5; i++) await program.run(inputs);
    expect((state as WasmState).heap.bytes).toBe(bytes);
  });

  it("says what it runs: formats by density, and memory", async () => {
    const { program } = await prepared(sparsified(model, { amount: 0.9, block: 1 }));
    const { bytes, calls } = program.describe!(2);
    expect(bytes.arena).toBeGreaterThan(0);
    const product = calls.find(({ node }) => node === "layers.0.feedForward1/MatMul")!;
    expect(product).toMatchObject({ kernel: "sparseRows", format: "rows" });
    expect(product.density).toBeCloseTo(0.1, 1);
    expect(product.cost).toBeGreaterThan(0);
  });

  it("takes another format when a weight is pruned, and the dense one when it grows back", async () => {
    const { state, program } = await prepared();
    const formatOf = () =>
      program.describe!(2).calls.find(({ node }) => node === "layers.0.feedForward1/MatMul")!.format;
    expect(formatOf()).toBe("panels");
    const inputs = randomInputs(model);
    const before = await program.run(inputs);
    await state.write(withWeight((w, i) => (i % 10 === 0 ? w : 0)));
    await program.run(inputs);
    expect(formatOf()).toBe("rows");
    await state.write(withWeight((w) => w));
    expect((await program.run(inputs)).get("y")!.data).toEqual(before.get("y")!.data);
    expect(formatOf()).toBe("panels");
  });

  it("takes blocks where zeros come in blocks", async () => {
    const { program } = await prepared(sparsified(model, { amount: 0.6, block: 4 }));
    const formats = program.describe!(1).calls.flatMap(({ format }) => format ?? []);
    expect(formats).toContain("quads");
  });

  it.each([
    ["rows", 1, 0.8],
    ["pairs", 2, 0.8],
    ["panels", 1, 0],
  ] as const)("reads activations that lie on many pages in strips: %s", async (format, block, amount) => {
    const b = Builder.create();
    const x = b.input("x", [batch, 81, 512]);
    const layer = linear(b, "layer", x, 512, 37);
    b.output("y", add(b, layer, b.parameter("residual", [1, 81, 37], filled(0.5))));
    const drawn = modelOf(b.build());
    const wide = { ...drawn, tensors: sparsified(drawn, { amount, block }) };
    const program = await backend.compile(wide.graph, { state: await backend.createState(wide.tensors) });
    const inputs = randomInputs(wide, 2);
    const [got, expected] = [await program.run(inputs), await runModel(wide, reference, inputs)];
    expect(largestError(got.get("y")!, expected.get("y")!)).toBeLessThan(1e-5);
    expect(program.describe!(2).calls.find((call) => call.format !== undefined)!.format).toBe(format);
  });
});
