import {
  account,
  applySteps,
  type Dimensions,
  digest,
  dimensionsIn,
  type Graph,
  inferDimensions,
  loadGraph,
  type Model,
  type PrunableDimension,
  planFromJson,
  planToJson,
  prunableDimensions,
  prune,
  reference,
  storedGraph,
  writePlan,
} from "@espalier/core";
import { maskMembers, modelOf, randomInputs, relativeError, runModel } from "@espalier/core/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { drawNetwork, network } from "./random-graph.ts";

const someIndices = (dimension: PrunableDimension, model: Model, seed: number) => {
  const pick = (row: number) => {
    const count = Math.max(1, Math.floor(dimension.size / 2));
    const first = (seed + row) % dimension.size;
    return Array.from({ length: count }, (_, i) => (first + 2 * i) % dimension.size)
      .filter((v, i, all) => all.indexOf(v) === i)
      .slice(0, 1 + (dimension.size > 3 && dimension.size % 2 === 0 ? 1 : 0))
      .sort((a, b) => a - b);
  };
  if (dimension.within === undefined) return pick(0);
  const rows = model.dimensions.list[dimension.within]!.size as number;
  return Array.from({ length: rows }, (_, row) => pick(row));
};

/** Which tensor axes belong together, whatever the dimensions are called; those of extent 1 left out. */
function partition(graph: Graph, { list, axes }: Dimensions): string[] {
  const groups = new Map<number, string[]>();
  for (const { name, value } of graph.tensors) {
    axes[value]!.forEach((e, axis) => {
      const real = dimensionsIn(e).filter((d) => list[d]!.size !== 1);
      real.forEach((d, place) => {
        groups.set(d, [...(groups.get(d) ?? []), `${name}[${axis}].${place}`]);
      });
    });
  }
  return [...groups]
    .map(
      ([d, members]) =>
        `${list[d]!.fixed === undefined ? "free" : "fixed"} ${list[d]!.size}: ${members.join(" ")}`,
    )
    .sort();
}

describe("removing indices of a dimension", () => {
  it("gives the output of a model whose members are masked, for every dimension of any network", async () => {
    await fc.assert(
      fc.asyncProperty(network, fc.nat(50), async (description, seed) => {
        const model = modelOf(drawNetwork(description), seed);
        const inputs = randomInputs(model);
        for (const dimension of prunableDimensions(model.dimensions)) {
          if (dimension.size < 2) continue;
          const indices = someIndices(dimension, model, seed);
          const step = {
            do: "remove",
            dimension: dimension.name,
            extent: dimension.size,
            indices,
            because: "",
          } as const;
          const small = applySteps(model, [step]);
          const masked = maskMembers(model, dimension.name, indices);
          const got = await runModel(small, reference, inputs);
          const expected = await runModel(masked, reference, inputs);
          expect(relativeError(got.get("y")!, expected.get("y")!)).toBeLessThan(1e-6);
          expect(account(small).parameters.total).toBeLessThan(account(model).parameters.total);
        }
      }),
      { numRuns: 60, seed: 11 },
    );
  });

  it("leaves the dimensions that a fresh inference finds", async () => {
    await fc.assert(
      fc.property(network, fc.nat(50), (description, seed) => {
        const model = modelOf(drawNetwork(description), seed);
        let small = model;
        for (const { name } of prunableDimensions(model.dimensions)) {
          const dimension = prunableDimensions(small.dimensions).find((d) => d.name === name);
          if (dimension === undefined || dimension.size < 3) continue;
          const indices = someIndices(dimension, small, seed);
          small = applySteps(small, [
            { do: "remove", dimension: name, extent: dimension.size, indices, because: "" },
          ]);
          expect(partition(small.graph, inferDimensions(small.graph))).toEqual(
            partition(small.graph, small.dimensions),
          );
        }
        expect(loadGraph(JSON.parse(JSON.stringify(storedGraph(small.graph))))).toEqual(small.graph);
      }),
      { numRuns: 60, seed: 12 },
    );
  });

  it("empties a dimension as if its members were masked, or refuses to cut the only path", async () => {
    let emptied = 0;
    await fc.assert(
      fc.asyncProperty(network, fc.nat(50), async (description, seed) => {
        const model = modelOf(drawNetwork(description), seed);
        const inputs = randomInputs(model);
        for (const { name, size, within } of prunableDimensions(model.dimensions)) {
          const all = Array.from({ length: size }, (_, i) => i);
          const rows = within === undefined ? 0 : (model.dimensions.list[within]!.size as number);
          const indices = within === undefined ? all : Array.from({ length: rows }, () => all);
          let small: Model;
          try {
            small = applySteps(model, [
              { do: "remove", dimension: name, extent: size, indices, because: "" },
            ]);
          } catch (error) {
            expect(String(error)).toContain("only path");
            continue;
          }
          emptied++;
          const got = await runModel(small, reference, inputs);
          const expected = await runModel(maskMembers(model, name, indices), reference, inputs);
          expect(relativeError(got.get("y")!, expected.get("y")!)).toBeLessThan(1e-6);
          expect(loadGraph(JSON.parse(JSON.stringify(storedGraph(small.graph))))).toEqual(small.graph);
        }
      }),
      { numRuns: 40, seed: 13 },
    );
    expect(emptied).toBeGreaterThan(20);
  });
});

describe("a plan", () => {
  const model = modelOf(
    drawNetwork({
      tokens: 4,
      input: 3,
      width: 6,
      blocks: [{ kind: "feedForward", width: 8, activation: "relu" }],
      head: "linear",
    }),
  );
  const dimension = prunableDimensions(model.dimensions).find(({ size }) => size === 8)!;
  const plan = writePlan(model, "test", [
    { do: "remove", dimension: dimension.name, extent: 8, indices: [1, 4], because: "" },
  ]);

  it("is the same after JSON", () => {
    expect(planFromJson(planToJson(plan))).toEqual(plan);
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
    expect(remove({ extent: 9 })).toThrow(/has 8 indices, the plan expects 9/);
    expect(remove({ indices: [8] })).toThrow(/0 … 7/);
  });
  it("of a newer format is refused with a line that says so", () => {
    expect(() => planFromJson('{"format": 2}', "p.json")).toThrow(/p.json: plan format 2 is newer/);
    expect(() => planFromJson("{}", "p.json")).toThrow(/not an Espalier plan/);
  });
});
