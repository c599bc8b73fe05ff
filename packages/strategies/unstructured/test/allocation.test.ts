import { float32, isKept, keptCount, type Model, prunableTensors, prune, withTensors } from "@espalier/core";
import { Builder, batch, matMul, relu, reshape, swapAxes, uniformFanIn } from "@espalier/core/graph";
import { modelOf } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { type UnstructuredOptions, unstructured } from "../src/index.ts";

/** Linear layers of 40 × 4, 40 × 40 (a kernel-1 convolution) and 2 × 40. */
function threeLayers(): Model {
  const b = Builder.create();
  const x = b.input("x", [batch, 4]);
  const first = b.parameter("first", [40, 4], uniformFanIn(4));
  const wide = b.parameter("wide", [40, 40, 1], uniformFanIn(40));
  const last = b.parameter("last", [2, 40], uniformFanIn(40));
  const hidden = relu(b, matMul(b, x, swapAxes(b, first, 0, 1)));
  const mixed = relu(b, matMul(b, hidden, swapAxes(b, reshape(b, wide, [40, 40]), 0, 1)));
  b.output("y", matMul(b, mixed, swapAxes(b, last, 0, 1)));
  return modelOf(b.build());
}

const model = threeLayers();
const sizes = { first: 160, wide: 1600, last: 80 };
const total = 1840;

/** Weights kept by tensor. */
async function keptOf(
  options: UnstructuredOptions,
  amount: number,
  of: Model = model,
): Promise<Record<string, number>> {
  const { masks, tensors } = prune(of, await unstructured(options).plan({ model: of, amount }));
  return Object.fromEntries(
    prunableTensors(of).map((name) => {
      const mask = masks.get(name);
      return [name, mask === undefined ? tensors.get(name)!.data.length : keptCount(mask)];
    }),
  );
}

describe("density by shape (Erdős–Rényi)", () => {
  const raw = { first: 44 / 160, wide: 80 / 1600, last: 42 / 80 };

  it("is in proportion to the sum of the extents ÷ their product", async () => {
    // Σ raw · size = 44 + 80 + 42 = 166: at 5 % kept, 92 weights, the factor is 92 ÷ 166.
    const kept = await keptOf({ scope: "erk", leastDensity: 0 }, 0.95);
    for (const name of ["first", "wide", "last"] as const)
      expect(Math.abs(kept[name]! - (92 / 166) * raw[name] * sizes[name])).toBeLessThanOrEqual(1);
    expect(kept.first! + kept.wide! + kept.last!).toBe(92);
  });

  it("is the same for a linear layer and for a convolution with a kernel of 1", async () => {
    const b = Builder.create();
    const x = b.input("x", [batch, 20]);
    const linear = b.parameter("linear", [20, 20], uniformFanIn(20));
    const convolution = b.parameter("convolution", [20, 20, 1], uniformFanIn(20));
    b.output("y", matMul(b, relu(b, matMul(b, x, linear)), reshape(b, convolution, [20, 20])));
    const both = modelOf(b.build());
    expect(await keptOf({ scope: "erk" }, 0.5, both)).toEqual({ linear: 200, convolution: 200 });
  });

  it("is cut at 1, and the others take on what is left", async () => {
    // 552 weights stay. At factor 552 ÷ 166 the last layer's density would be 1.7: it is dense, and so is the first.
    const kept = await keptOf({ scope: "erk" }, 0.7);
    expect(kept).toEqual({ first: 160, wide: 552 - 160 - 80, last: 80 });
  });

  it("falls no lower than the least density, unless asked", async () => {
    // The wide layer would keep 2.8 % where all keep 5 %.
    const least = Math.ceil(0.8 * 0.05 * sizes.wide);
    const kept = await keptOf({ scope: "erk", leastDensity: 0.8 }, 0.95);
    expect(kept.wide).toBe(least);
    expect(kept.first! + kept.last!).toBe(92 - least);
    expect(Object.values(await keptOf({ scope: "erk" }, 0.999)).every((n) => n >= 1)).toBe(true);
  });

  it("leaves to the criterion which weights of a tensor stay", async () => {
    const { masks } = prune(model, await unstructured({ scope: "erk" }).plan({ model, amount: 0.95 }));
    const mask = masks.get("wide")!;
    const { data } = model.tensors.get("wide")!;
    const [kept, lost] = [true, false].map((stays) =>
      [...data].flatMap((w, i) => (isKept(mask, i) === stays ? [Math.abs(w)] : [])),
    );
    expect(Math.min(...kept!)).toBeGreaterThanOrEqual(Math.max(...lost!));
  });
});

describe("density by LAMP", () => {
  it("is what the criterion of that name gives globally", async () => {
    const plan = (options: UnstructuredOptions) => unstructured(options).plan({ model, amount: 0.9 });
    const [by, itself] = [await plan({ scope: "lamp" }), await plan({ criterion: "lamp" })];
    const masks = ({ steps }: typeof by) => steps.map((step) => step.do === "mask" && step.keep);
    expect(masks(by)).toEqual(masks(itself));
  });

  it("is that of a tensor by hand, and the criterion says which stay", async () => {
    // LAMP of 1, 2, 3, 4 is 1/30, 4/29, 9/25, 1; of 5, 5, 5, 10 (ties count together) 25/175 three times, 1.
    const b = Builder.create();
    const x = b.input("x", [batch, 2]);
    const [one, two] = ["one", "two"].map((name) => b.parameter(name, [2, 2], uniformFanIn(2)));
    b.output("y", matMul(b, matMul(b, x, one!), two!));
    const small = withTensors(
      modelOf(b.build()),
      new Map([
        ["one", float32([2, 2], [1, 2, 3, 4])],
        ["two", float32([2, 2], [5, 5, 5, 10])],
      ]),
    );
    // The five lowest of all: 1/30, 4/29, three times 25/175.
    const options = { scope: "lamp", leastDensity: 0, criterion: "random", seed: 1 } as const;
    expect(await keptOf(options, 5 / 8, small)).toEqual({ one: 2, two: 1 });
    expect(await keptOf({ leastDensity: 0 }, 5 / 8, small)).toEqual({ one: 0, two: 3 });
    const { steps } = await unstructured(options).plan({ model: small, amount: 5 / 8 });
    const lamp = await unstructured({ criterion: "lamp", leastDensity: 0 }).plan({
      model: small,
      amount: 5 / 8,
    });
    expect(steps.map((step) => step.do === "mask" && step.keep)).not.toEqual(
      lamp.steps.map((step) => step.do === "mask" && step.keep),
    );
  });
});

it.each(["local", "global", "isomorphic", "erk", "lamp"] as const)(
  "density by %s removes exactly what is asked for, and empties no layer",
  async (scope) => {
    for (const amount of [0.3, 0.8, 0.99]) {
      const kept = await keptOf({ scope }, amount);
      const sum = Object.values(kept).reduce((n, one) => n + one, 0);
      // No two layers are alike here, so each is rounded by itself as with `local`.
      const each = scope === "local" || scope === "isomorphic";
      expect(Math.abs(sum - (total - Math.round(amount * total)))).toBeLessThanOrEqual(each ? 2 : 0);
      expect(Math.min(...Object.values(kept))).toBeGreaterThan(0);
    }
  },
);
