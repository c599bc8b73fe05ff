import {
  account,
  type Collect,
  type Model,
  meet,
  type PruningPlan,
  prunableDimensions,
  prune,
  randomInputs,
  reference,
  runModel,
} from "@espalier/core";
import { add, Builder, batch, matMul, relu, softmax, uniformFanIn } from "@espalier/core/graph";
import { residualModules } from "@espalier/core/pruning";
import { checkStrategy, drawEncoder, modelOf, randomCollect, relativeError } from "@espalier/core/testing";
import { crossformer, fedformer, transformer } from "@espalier/models";
import { describe, expect, it } from "vitest";
import { type DepthOptions, depth, plugin } from "../src/index.ts";

const model = modelOf(drawEncoder({ width: 8, heads: 2, feedForward: 12, layers: 3 }));

/** The modules that are left, in graph order. */
const left = (m: Model) => residualModules(m.graph, m.dimensions).map(({ name, kind }) => `${kind} ${name}`);
const planned = (options: DepthOptions, amount: number, collect?: Collect): Promise<PruningPlan> =>
  depth(options).plan({ model, amount, ...(collect && { collect }) });

describe("depth pruning", () => {
  it.each([
    {},
    { criterion: "l1", unit: "layer" },
    { criterion: "random", seed: 3, keepAtLeast: 0 },
    { modules: ["attention"], keepAtLeast: 0 },
    { modules: ["feed-forward"], criterion: "taylor" },
  ] as const)("keeps every promise of a strategy: %o", async (options) => {
    const checked = await checkStrategy(depth(options as DepthOptions), model, {
      collect: randomCollect(),
      mayEmpty: true,
    });
    expect(checked.applicable).toBe(true);
  });

  it("removes attention with all its weights but the last bias, which the residual path takes on", async () => {
    const small = prune(model, await planned({ modules: ["attention"], keepAtLeast: 0 }, 0.99));
    expect(left(small)).toEqual([0, 1, 2].map((i) => `feed-forward layers.${i}`));
    expect(small.graph.nodes.some(({ operator }) => operator.name === "Softmax")).toBe(false);
    expect([...small.tensors.keys()].filter((name) => name.includes("attention"))).toEqual(
      [0, 1, 2].map((i) => `layers.${i}.attention.out.bias`),
    );
    const zeroed = new Map(model.tensors);
    for (const [name, tensor] of model.tensors) {
      if (!name.endsWith("attention.out.weight")) continue;
      zeroed.set(name, { ...tensor, data: new Float32Array(tensor.data.length) });
    }
    const inputs = randomInputs(model);
    const [got, expected] = [
      await runModel(small, reference, inputs),
      await runModel({ ...model, tensors: zeroed }, reference, inputs),
    ];
    expect(relativeError(got.get("y")!, expected.get("y")!)).toBeLessThan(1e-6);
  });

  it("removes modules with the least L2 norm first, where there is no data", async () => {
    const scaled = (factor: number) => (name: string) => (name.startsWith("layers.1.attention") ? factor : 1);
    const tensors = new Map(
      [...model.tensors].map(([name, tensor]) => {
        const factor = scaled(0.01)(name);
        return [name, { ...tensor, data: tensor.data.map((w) => w * factor) as Float32Array }];
      }),
    );
    const quiet = { ...model, tensors };
    const { steps } = await depth().plan({ model: quiet, amount: 0.2 });
    expect(steps.map(({ because }) => because)).toEqual([
      expect.stringMatching(/^the attention layers\.1\.attention is removed: .* is number 1 of 6$/),
    ]);
    const half = await depth({ modules: ["attention"] }).plan({ model: quiet, amount: 0.4 });
    expect(left(prune(quiet, half))).not.toContain("attention layers.1.attention");
  });

  it("ranks by sensitivity where there is data", async () => {
    const { steps } = await planned({}, 0.2, randomCollect());
    const same = await planned({ criterion: "spat" }, 0.2, randomCollect());
    expect(steps).toEqual(same.steps);
    await expect(planned({ criterion: "spat" }, 0.2)).rejects.toThrow("needs data");
  });

  it("keeps one module of each kind, or as many as asked", async () => {
    const kinds = async (options: DepthOptions) =>
      left(prune(model, await planned(options, 0.99))).map((name) => name.split(" ")[0]);
    expect((await kinds({})).sort()).toEqual(["attention", "feed-forward"]);
    expect(await kinds({ keepAtLeast: 0 })).toEqual([]);
    expect(await kinds({ keepAtLeast: 2, modules: ["attention"] })).toHaveLength(5);
    expect((await kinds({ unit: "layer" })).sort()).toEqual(["attention", "feed-forward"]);
  });

  it("removes layers as a whole", async () => {
    const small = prune(model, await planned({ unit: "layer" }, 0.34));
    const names = left(small);
    expect(names).toHaveLength(4);
    for (const layer of [0, 1, 2]) {
      const own = names.filter((name) => name.includes(`layers.${layer}`));
      expect([0, 2]).toContain(own.length);
    }
  });

  it("leaves modules alone by name pattern", async () => {
    const plan = await planned({ keep: ["layers.0*"], keepAtLeast: 0 }, 0.99);
    expect(left(prune(model, plan))).toEqual(["attention layers.0.attention", "feed-forward layers.0"]);
  });

  it("meets a target it can meet, and says what is nearest otherwise", async () => {
    const without = account(prune(model, await planned({ modules: ["attention"], keepAtLeast: 0 }, 0.99)));
    const flops = without.flops.effective / model.dense.flops.effective;
    const strategy = depth({ modules: ["attention"], keepAtLeast: 0 });
    expect((await meet({ flops }, strategy, { model })).target).toMatchObject({ met: true });
    const nearest = await meet({ flops: 0.01 }, strategy, { model });
    expect(nearest.target!.why).toMatch(
      /with everything that "depth" may remove, \d+\.\d % of the flops remain/,
    );
  });

  it("goes on with what other pruning left", async () => {
    const [attention] = prunableDimensions(model.dimensions).filter(({ kind }) => kind === "head");
    const single = prune(model, {
      ...(await planned({}, 0)),
      steps: [{ do: "remove", dimension: attention!.name, extent: 2, indices: [0], because: "" }],
    });
    expect(left(single)).toEqual(left(model));
    await checkStrategy(depth({ keepAtLeast: 0 }), single, { mayEmpty: true });
  });

  it("says which module stays, and why", async () => {
    const b = Builder.create();
    const x = b.input("x", [batch, 5, 4]);
    const weight = (name: string, from: number, to: number) =>
      b.parameter(name, [from, to], uniformFanIn(from));
    const hidden = softmax(b, matMul(b, x, weight("gate.up", 4, 6)), -1);
    const gated = add(b, x, matMul(b, hidden, weight("gate.down", 6, 4)));
    const active = relu(b, matMul(b, gated, weight("up", 4, 6)));
    b.output("y", add(b, gated, matMul(b, active, weight("down", 6, 4))));
    const mixed = modelOf(b.build());
    const { steps, notes } = await depth({ keepAtLeast: 0 }).plan({ model: mixed, amount: 0.99 });
    expect(steps.map((step) => step.do === "remove" && step.dimension)).toEqual(["up[1]"]);
    expect(notes).toEqual([
      expect.stringMatching(/^feed-forward Add stays: gate\.up\[1\]: Softmax compares/),
    ]);
    const none = await depth({ keep: ["up*"] }).plan({ model: mixed, amount: 0.99 });
    expect(none.notes.join()).toMatch(
      /^no attention or feed-forward module can be removed: feed-forward .* stays/,
    );
  });

  it("leaves a module whose channels the only path to the output needs as well", async () => {
    const b = Builder.create();
    const x = b.input("x", [batch, 5, 4]);
    const weight = (name: string, from: number, to: number) =>
      b.parameter(name, [from, to], uniformFanIn(from));
    const up = weight("up", 4, 6);
    const sum = add(b, x, matMul(b, relu(b, matMul(b, x, up)), weight("down", 6, 4)));
    b.output("y", matMul(b, matMul(b, sum, up), weight("end", 6, 2)));
    const { steps, notes } = await depth({ keepAtLeast: 0 }).plan({
      model: modelOf(b.build()),
      amount: 0.99,
    });
    expect(steps).toEqual([]);
    expect(notes.join()).toMatch(
      /feed-forward Add stays: up\[1\]: the only path to an output also runs through/,
    );
  });

  it("says why there is nothing to remove", async () => {
    const plan = await depth({ modules: ["attention"] }).plan({
      model: modelOf(drawEncoder({ layers: 0 })),
      amount: 0.5,
    });
    expect(plan.steps).toEqual([]);
    expect(plan.notes).toEqual(["no attention module can be removed: the model has none"]);
  });

  it("is made from data, and refuses what makes no sense", () => {
    expect(plugin.create({ modules: ["attention"] }, () => depth()).name).toBe("depth");
    expect(() => depth({ criterion: "spatt" })).toThrow('Did you mean "spat"?');
    expect(() => plugin.create({ modules: ["heads"] }, () => depth())).toThrow();
  });
});

describe("the modules of a model", () => {
  const sizes = { inputLength: 8, horizon: 4, series: 2, width: 8, heads: 2, feedForward: 6 };

  it("are those of a decoder too: two attentions and a feed-forward a layer", () => {
    const { graph, dimensions } = transformer({ ...sizes, labelLength: 4, layers: 1 }).initialize(1);
    expect(residualModules(graph, dimensions).map(({ name, kind }) => `${kind} ${name}`)).toEqual([
      "attention encoder.attn_layers.0.attention",
      "feed-forward encoder.attn_layers.0",
      "attention decoder.layers.0.self_attention",
      "attention decoder.layers.0.cross_attention",
      "feed-forward decoder.layers.0",
    ]);
  });

  it("are emptied by what takes most weights along: all heads, all feed-forward channels", () => {
    expect(residualModules(model.graph, model.dimensions).map(({ dimension }) => dimension!.kind)).toEqual([
      "head",
      "channel",
      "head",
      "channel",
      "head",
      "channel",
    ]);
  });

  it("are whole branches: Crossformer's sender and receiver are one", () => {
    const { graph, dimensions } = crossformer({ ...sizes, segmentLength: 4, layers: 1 }).initialize(1);
    const names = residualModules(graph, dimensions).map(({ name }) => name);
    expect(names.filter((name) => name.includes("sender") || name.includes("receiver"))).toEqual([]);
    expect(new Set(residualModules(graph, dimensions).map(({ dimension }) => dimension!.name)).size).toBe(
      names.length,
    );
  });

  it("share a dimension where they share weights, and then go together", async () => {
    const shared = fedformer({ ...sizes, labelLength: 4, layers: 2, modes: 2, movingAverage: 3 }).initialize(
      1,
    );
    const both = residualModules(shared.graph, shared.dimensions)
      .filter(({ name }) => /^encoder.*attention$/.test(name))
      .map(({ dimension }) => dimension!.name);
    expect(both).toHaveLength(2);
    expect(new Set(both).size).toBe(1);
    const plan = await depth({ modules: ["attention"], keepAtLeast: 0 }).plan({
      model: shared,
      amount: 0.99,
    });
    expect(left(prune(shared, plan)).filter((name) => name.startsWith("attention"))).toEqual([]);
  });

  it("are found where an attention has one head only", () => {
    const { graph, dimensions } = transformer({ ...sizes, heads: 1, labelLength: 4, layers: 1 }).initialize(
      1,
    );
    const kinds = residualModules(graph, dimensions).map(({ kind }) => kind);
    expect(kinds).toEqual(["attention", "feed-forward", "attention", "attention", "feed-forward"]);
  });
});
