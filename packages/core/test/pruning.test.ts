import {
  account,
  digest,
  planFromJson,
  planToJson,
  prunableDimensions,
  prune,
  randomInputs,
  reference,
  runModel,
} from "@espalier/core";
import { add, Builder, batch, matMul, mul, type None, uniformFanIn } from "@espalier/core/graph";
import { applySteps, removeDead, writePlan } from "@espalier/core/pruning";
import {
  checkEmptying,
  drawNetwork,
  maskRandomly,
  modelChecks,
  modelOf,
  relativeError,
} from "@espalier/core/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { defineOperator } from "../src/operators/operator.ts";
import { network } from "./networks.ts";

describe("over random networks", () => {
  it("removing indices of a dimension keeps every promise", async () => {
    await fc.assert(
      fc.asyncProperty(network, fc.nat(50), async (description, seed) => {
        const drawn = modelOf(drawNetwork(description), seed);
        const model = seed % 2 === 0 ? drawn : maskRandomly(drawn, seed);
        for (const { run } of modelChecks(model, { seed })) await run();
      }),
      { numRuns: 120, seed: 11 },
    );
  });

  it("many dimensions can be emptied, and some are the only path", async () => {
    const emptied = await Promise.all(
      fc.sample(network, { numRuns: 20, seed: 13 }).map(async (description) => {
        const model = modelOf(drawNetwork(description));
        const each = prunableDimensions(model.dimensions).map((d) => checkEmptying(model, d));
        return Promise.all(each);
      }),
    );
    expect(emptied.flat().filter(Boolean).length).toBeGreaterThan(50);
    expect(emptied.flat().filter((one) => !one).length).toBeGreaterThan(5);
  });
});

describe("the checks of a model", () => {
  /** Reverses the last axis, but says that positions stay where they are. */
  const reverse = defineOperator<None>({
    name: "Reverse",
    arity: 1,
    infer: ([x]) => [x!],
    couple: (coupling, [x], [y]) => coupling.sameAll(x!, y!),
    evaluate: ([x]) => {
      const width = x!.shape.at(-1)!;
      return [{ ...x!, data: x!.data.map((_, i) => x!.data[i - (i % width) + width - 1 - (i % width)]!) }];
    },
  });

  it("find an operator that says something wrong about its axes", async () => {
    const b = Builder.create();
    const up = b.parameter("up", [3, 5], uniformFanIn(3));
    const hidden = b.apply(reverse, [matMul(b, b.input("x", [batch, 3]), up)], {});
    b.output("y", matMul(b, hidden, b.parameter("down", [5, 2], uniformFanIn(5))));
    const checks = modelChecks(modelOf(b.build()));
    const check = checks.find(({ name }) => name === "removing from up[1] (channel, 5) equals masking")!;
    await expect(check.run()).rejects.toThrow(/output "y" differs from the masked model's/);
  });
});

describe("what is dead", () => {
  it("stays when a live dimension is emptied, and goes with what it leads to", async () => {
    const b = Builder.create();
    const x = b.input("x", [batch, 3]);
    const weight = (name: string, from: number, to: number) =>
      b.parameter(name, [from, to], uniformFanIn(from));
    const hidden = matMul(b, x, weight("up", 3, 5));
    b.output("y", add(b, x, matMul(b, hidden, weight("down", 5, 3))));
    const dead = matMul(b, matMul(b, x, weight("dead", 3, 4)), weight("end", 4, 2));
    matMul(b, hidden, weight("after", 5, 2));
    mul(b, dead, matMul(b, x, weight("beside", 3, 2)));
    const model = modelOf(b.build());
    const empty = (dimension: string) => {
      const extent = model.dimensions.list.find(({ name }) => name === dimension)!.size as number;
      const indices = Array.from({ length: extent }, (_, i) => i);
      const small = applySteps(model, [{ do: "remove", dimension, extent, indices, because: "" }]);
      return small.graph.tensors.map(({ name }) => name);
    };
    expect(empty("up[1]")).toEqual(["dead", "end", "beside"]);
    expect(empty("dead[1]")).toEqual(["up", "down", "after"]);
  });
});

describe("removing what is dead", () => {
  it("changes no output, and leaves dimensions as they were", async () => {
    const b = Builder.create();
    const x = b.input("x", [batch, 3]);
    const hidden = matMul(b, x, b.parameter("up", [3, 5], uniformFanIn(3)));
    matMul(b, hidden, b.parameter("unused", [5, 4], uniformFanIn(5)));
    b.output("y", matMul(b, hidden, b.parameter("down", [5, 2], uniformFanIn(5))));
    const model = modelOf(b.build());
    const small = removeDead(model);
    expect(account(model).parameters).toMatchObject({ total: 45, dead: 20 });
    expect(account(small).parameters).toMatchObject({ total: 25, dead: 0 });
    const inputs = randomInputs(model);
    const [before, after] = [
      await runModel(model, reference, inputs),
      await runModel(small, reference, inputs),
    ];
    expect(relativeError(after.get("y")!, before.get("y")!)).toBe(0);
    expect(prunableDimensions(small.dimensions).map(({ name, size }) => `${name} ${size}`)).toEqual([
      "up[1] 5",
    ]);
    for (const { run } of modelChecks(small)) await run();
  });
});

describe("a plan", () => {
  const model = modelOf(
    drawNetwork({
      tokens: 4,
      input: 3,
      patched: false,
      width: 6,
      mixed: 0,
      blocks: [{ kind: "feedForward", width: 8, gelu: false, norm: false }],
      head: "linear",
    }),
  );
  const dimension = prunableDimensions(model.dimensions).find(({ size }) => size === 8)!;
  const plan = writePlan(model, "test", [
    { do: "remove", dimension: dimension.name, extent: 8, indices: [1, 4], because: "" },
  ]);

  it("is the same after JSON", () => {
    expect(planFromJson(planToJson(plan))).toEqual(plan);
    const report = { metric: "flops", asked: 0.5, achieved: 0.5, met: true };
    const measured = { on: "wasm, batch 1", spread: 0.1, tries: [{ amount: 0, share: 1, spread: 0 }] };
    const reached = { ...plan, target: { ...report, measured, others: [report] } };
    expect(planFromJson(planToJson(reached))).toEqual(reached);
  });
  it("promises the counts that pruning gives", () => {
    const counts = account(prune(model, plan));
    expect(plan.expected.parameters).toBe(counts.parameters.total);
    expect(plan.expected.flops).toBe(counts.flops.effective);
  });
  it("gives the same bytes each time", () => {
    expect(digest(prune(model, plan))).toBe(digest(prune(model, plan)));
  });
  it("is refused by the model it made", () => {
    expect(() => prune(prune(model, plan), plan)).toThrow(/made for another model/);
  });
  it("keeps what indices the unpruned model had", () => {
    const once = prune(model, plan);
    const twice = applySteps(once, [
      { do: "remove", dimension: dimension.name, extent: 6, indices: [0], because: "" },
    ]);
    expect(
      prunableDimensions(twice.dimensions).find(({ name }) => name === dimension.name)!.original,
    ).toEqual([2, 3, 5, 6, 7]);
  });
  it("refuses unknown dimensions, wrong extents and indices outside", () => {
    const remove = (change: object) => () =>
      applySteps(model, [
        { do: "remove", dimension: dimension.name, extent: 8, indices: [1], because: "", ...change },
      ]);
    expect(remove({ dimension: "b0.up.weight[1]" })).toThrow(/is not known. Did you mean/);
    expect(remove({ extent: 9 })).toThrow(/has 8 indices, but the plan expects 9/);
    expect(remove({ indices: [8] })).toThrow(/0 … 7/);
  });
  it("of a newer format is refused with a line that says so", () => {
    expect(() => planFromJson('{"format": 2}', "p.json")).toThrow(/p.json: plan format 2 is newer/);
    expect(() => planFromJson("{}", "p.json")).toThrow(/not an Espalier plan/);
    const target = { metric: "flops", asked: 0.5, achieved: 0.5, met: true };
    for (const damage of [
      { expected: {} },
      { notes: [7] },
      { steps: [{ do: "remove" }] },
      { base: 1 },
      { target: "flops" },
      { target: { ...target, met: "no" } },
      { target: { ...target, others: {} } },
      { target: { ...target, measured: {} } },
    ])
      expect(() => planFromJson(JSON.stringify({ ...plan, ...damage }))).toThrow(/not an Espalier plan/);
    const mask = { do: "mask", parameter: "x", shape: [2 ** 26, 2 ** 26], keep: "AAAA", because: "" };
    expect(() => planFromJson(JSON.stringify({ ...plan, steps: [mask] }))).toThrow(
      /mask of "x" does not fit/,
    );
  });
});
