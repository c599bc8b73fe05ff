import {
  digest,
  isKept,
  type MaskStep,
  type Model,
  type PruningPlan,
  prunableTensors,
  prune,
  type RemoveStep,
  randomInputs,
  reconstruct,
  reference,
  runModel,
} from "@espalier/core";
import { add, Builder, batch, maskFrom, matMul, swapAxes, uniformFanIn } from "@espalier/core/graph";
import { applySteps, writePlan } from "@espalier/core/pruning";
import { drawEncoder, modelOf, randomCollect } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { refit } from "../src/reconstruction/refit.ts";

const collect = randomCollect(4);

/** y = B·(A·x + a) + b: no activation between, so that what is lost can be made up for. */
function linearChain(): Model {
  const b = Builder.create();
  const x = b.input("x", [batch, 3, 4]);
  const layer = (name: string, value: typeof x, from: number, to: number) => {
    const weight = b.parameter(`${name}.weight`, [to, from], uniformFanIn(from));
    const bias = b.parameter(`${name}.bias`, [to], uniformFanIn(2));
    return add(b, matMul(b, value, swapAxes(b, weight, 0, 1)), bias);
  };
  b.output("y", layer("second", layer("first", x, 4, 6), 6, 2));
  return modelOf(b.build());
}

/** Rows [x, 1] of all calibration batches, as `randomCollect` draws them. */
function calibrationRows(model: Model, width: number): number[][] {
  return [0, 1, 2, 3].flatMap((seed) => {
    const { data } = randomInputs(model, 2, seed).get("x")!;
    return Array.from({ length: data.length / width }, (_, r) => [
      ...data.subarray(r * width, (r + 1) * width),
      1,
    ]);
  });
}

/** Gauss-Jordan elimination: nothing in common with how the core solves. */
function solveByElimination(a: readonly (readonly number[])[], y: readonly number[]): number[] {
  const rows = a.map((row, i) => [...row, y[i]!]);
  const n = rows.length;
  for (let i = 0; i < n; i++) {
    const pivot = rows
      .slice(i)
      .reduce((best, row, k) => (Math.abs(row[i]!) > Math.abs(rows[i + best]![i]!) ? k : best), 0);
    [rows[i], rows[i + pivot]] = [rows[i + pivot]!, rows[i]!];
    for (let r = 0; r < n; r++) {
      if (r === i) continue;
      const factor = rows[r]![i]! / rows[i]![i]!;
      for (let c = i; c <= n; c++) rows[r]![c]! -= factor * rows[i]![c]!;
    }
  }
  return rows.map((row, i) => row[n]! / row[i]!);
}

const mask = (model: Model, parameter: string, keep: (i: number) => boolean): MaskStep => ({
  do: "mask",
  parameter,
  keep: maskFrom(model.tensors.get(parameter)!.shape, keep),
  because: "",
});
const plan = (model: Model, ...steps: (MaskStep | RemoveStep)[]): PruningPlan =>
  writePlan(model, "test", steps);

describe("reconstruction", () => {
  it("solves the normal equations of what a mask leaves, the bias included", async () => {
    const model = linearChain();
    const kept = [0, 2, 3];
    const step = mask(model, "first.weight", (i) => kept.includes(i % 4));
    const { model: refitted } = await reconstruct({ model, plan: plan(model, step), collect, damping: 1e-9 });
    const rows = calibrationRows(model, 4);
    const [w, bias] = ["first.weight", "first.bias"].map((name) => model.tensors.get(name)!.data);
    const [after, afterBias] = ["first.weight", "first.bias"].map((name) => refitted.tensors.get(name)!.data);
    const free = [...kept, 4];
    const gram = free.map((i) => free.map((j) => rows.reduce((sum, row) => sum + row[i]! * row[j]!, 0)));
    for (let o = 0; o < 6; o++) {
      const y = rows.map((row) => row.slice(0, 4).reduce((sum, x, i) => sum + x * w![o * 4 + i]!, bias![o]!));
      const solved = solveByElimination(
        gram,
        free.map((i) => rows.reduce((sum, row, r) => sum + row[i]! * y[r]!, 0)),
      );
      kept.forEach((i, k) => {
        expect(after![o * 4 + i]).toBeCloseTo(solved[k]!, 4);
      });
      expect(afterBias![o]).toBeCloseTo(solved[3]!, 4);
      expect(after![o * 4 + 1]).toBe(0);
    }
  });

  it("by obs spreads a masked weight as its paper says: w − w_q ÷ [H⁻¹]_qq · H⁻¹e_q", async () => {
    const model = linearChain();
    const step = mask(model, "first.weight", (i) => i !== 0);
    const request = { model, plan: plan(model, step), collect, damping: 1e-9 };
    const rows = calibrationRows(model, 4);
    const gram = [0, 1, 2, 3, 4].map((i) =>
      [0, 1, 2, 3, 4].map((j) => rows.reduce((sum, row) => sum + row[i]! * row[j]!, 0)),
    );
    const column = solveByElimination(gram, [1, 0, 0, 0, 0]);
    const [w, bias] = ["first.weight", "first.bias"].map((name) => model.tensors.get(name)!.data);
    const before = [...w!.subarray(0, 4), bias![0]!];
    for (const method of ["obs", "least-squares"] as const) {
      const { model: refitted } = await reconstruct({ ...request, method });
      const [after, afterBias] = ["first.weight", "first.bias"].map(
        (name) => refitted.tensors.get(name)!.data,
      );
      [...after!.subarray(0, 4), afterBias![0]!].forEach((value, i) => {
        const expected = i === 0 ? 0 : before[i]! - (before[0]! / column[0]!) * column[i]!;
        expect(value).toBeCloseTo(expected, 4);
      });
      // The other outputs lost nothing.
      w!.forEach((value, i) => {
        if (i >= 4) expect(after![i]).toBeCloseTo(value, 4);
      });
    }
  });

  it("loses nothing where what is left can still say all there was", async () => {
    // Six hidden channels of a rank of four (and a constant): any five of them hold everything.
    const model = linearChain();
    const hidden = model.dimensions.list.find(({ name }) => name.startsWith("first.weight[0]"))!;
    const remove = { do: "remove", dimension: hidden.name, extent: 6, indices: [2], because: "" } as const;
    const { model: smaller, layers } = await reconstruct({
      model,
      plan: plan(model, remove),
      collect,
      damping: 1e-9,
    });
    expect(smaller.tensors.get("second.weight")!.shape).toEqual([2, 5]);
    // The first layer gives what it gave, of the channels that stay: it lost nothing.
    expect(layers.map(({ tensor }) => tensor)).toEqual(["second.weight"]);
    const inputs = randomInputs(model, 3, 99);
    const [dense, refitted] = await Promise.all([model, smaller].map((m) => runModel(m, reference, inputs)));
    dense!.get("y")!.data.forEach((value, i) => {
      expect(refitted!.get("y")!.data[i]).toBeCloseTo(value, 3);
    });
    expect(layers.at(-1)!.before).toBeGreaterThan(1e-2);
    expect(layers.at(-1)!.after).toBeLessThan(1e-6);
  });
});

describe("the sweep of obs", () => {
  it("leaves a column alone that would come out further from its target", () => {
    // All free, (3, 3) is best, since the inputs cancel out; without the second, 3 is far worse than the 1 it was.
    const problem = {
      moments: { size: 2, data: Float64Array.of(1, -0.95, -0.95, 1) },
      targets: [Float64Array.of(0.15, 0.15)],
      columns: [Float64Array.of(1, 0)],
      free: [[0]],
      ridge: 1e-12,
    };
    // wᵀHw − 2wᵀt of (1, 0).
    const before = [0.7];
    expect(refit(problem, before, "obs")).toEqual({ columns: [Float64Array.of(1, 0)], after: before });
    const { columns, after } = refit(problem, before, "least-squares");
    expect(columns[0]![0]).toBeCloseTo(0.15, 9);
    expect(after[0]).toBeCloseTo(0.15 ** 2 - 2 * 0.15 ** 2, 9);
  });
});

describe.each(["least-squares", "obs"] as const)("reconstruction of an encoder by %s", (method) => {
  const model = modelOf(drawEncoder());
  const masks = prunableTensors(model).map((name, k) => mask(model, name, (i) => (i * 7 + k) % 3 !== 0));
  const removals = model.dimensions.list.flatMap((d): RemoveStep[] => {
    if (d.fixed !== undefined || (d.kind !== "head" && d.kind !== "channel")) return [];
    return [{ do: "remove", dimension: d.name, extent: d.size as number, indices: [1], because: "" }];
  });
  const small = applySteps(model, removals);
  const onSmall = prunableTensors(small).map((name, k) => mask(small, name, (i) => (i * 5 + k) % 3 !== 0));
  it.each([
    ["masks", plan(model, ...masks)],
    ["heads and channels removed", plan(model, ...removals)],
    ["both", plan(model, ...removals, ...onSmall)],
  ])("%s: no layer's error rises, and the output comes nearer", async (_what, made) => {
    const pruned = prune(model, made);
    const { model: refitted, layers } = await reconstruct({ model, plan: made, collect, method });
    expect(layers.length).toBeGreaterThan(6);
    for (const { before, after } of layers) expect(after).toBeLessThanOrEqual(before);
    expect(layers.filter(({ before, after }) => after < 0.9 * before).length).toBeGreaterThan(5);
    const errorOf = async (of: Model) => {
      let sum = 0;
      for (const seed of [0, 1, 2, 3]) {
        const inputs = randomInputs(model, 2, seed);
        const [y, truth] = [await runModel(of, reference, inputs), await runModel(model, reference, inputs)];
        truth.get("y")!.data.forEach((value, i) => {
          sum += (y.get("y")!.data[i]! - value) ** 2;
        });
      }
      return sum;
    };
    expect(await errorOf(refitted)).toBeLessThan(0.7 * (await errorOf(pruned)));
    expect(refitted.masks).toEqual(pruned.masks);
    for (const [name, { bits: _bits, ...of }] of refitted.masks) {
      const keep = refitted.masks.get(name)!;
      expect(of.shape).toEqual(refitted.tensors.get(name)!.shape);
      refitted.tensors.get(name)!.data.forEach((w, i) => {
        if (!isKept(keep, i)) expect(w).toBe(0);
      });
    }
  });

  it("is the same each time, and is recorded", async () => {
    const request = { model, plan: plan(model, ...masks), collect, method, calibration: { batches: 4 } };
    const [first, second] = [await reconstruct(request), await reconstruct(request)];
    expect(digest(second.model)).toBe(digest(first.model));
    expect(first.model.history).toMatchObject([
      { did: "prune" },
      { did: "reconstruct", base: request.plan.base, method, damping: 0.01, calibration: { batches: 4 } },
    ]);
  });
});

describe("two products that are added to each other", () => {
  it("are refitted one after the other, not both for the whole of what is missing", async () => {
    const b = Builder.create();
    const x = b.input("x", [batch, 3, 4]);
    const branch = (name: string) =>
      matMul(b, x, swapAxes(b, b.parameter(`${name}.weight`, [2, 4], uniformFanIn(4)), 0, 1));
    b.output("y", add(b, branch("a"), branch("b")));
    const model = modelOf(b.build());
    // What "a" loses, "b" could make up for alone; so could "a" itself, but for one input.
    const step = mask(model, "a.weight", (i) => i % 4 !== 1);
    const { model: refitted, layers } = await reconstruct({
      model,
      plan: plan(model, step),
      collect,
      damping: 1e-9,
    });
    expect(layers.at(-1)!.after).toBeLessThan(1e-6);
    const inputs = randomInputs(model, 3, 99);
    const [dense, whole] = await Promise.all([model, refitted].map((m) => runModel(m, reference, inputs)));
    dense!.get("y")!.data.forEach((value, i) => {
      expect(whole!.get("y")!.data[i]).toBeCloseTo(value, 3);
    });
  });
});
