import {
  type Collect,
  type Criterion,
  criterionNames,
  EspalierError,
  fisher,
  float32,
  geometricMedian,
  l1,
  l2,
  lamp,
  type Model,
  movement,
  prunableDimensions,
  random,
  reference,
  runModel,
  spat,
  type TensorData,
  taylor,
  wanda,
  withTensors,
  wsap,
} from "@espalier/core";
import {
  Builder,
  batch,
  concat,
  filled,
  maskFrom,
  matMul,
  relu,
  reshape,
  slice,
  transpose,
} from "@espalier/core/graph";
import { applySteps, findCriterion, weightStatistics } from "@espalier/core/pruning";
import { drawEncoder, modelOf } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";

const first = [1, -2, 3, 0.5, 4, -1];
const second = [2, -1, 0.25];

/** y = B·relu(A·x) with A [3, 2] and B [1, 3]: small enough to score by hand. */
function twoLayers(): Model {
  const b = Builder.create();
  const x = b.input("x", [batch, 2]);
  const a = b.parameter("a.weight", [3, 2], filled(0));
  const c = b.parameter("b.weight", [1, 3], filled(0));
  const hidden = relu(b, matMul(b, x, transpose(b, a, [1, 0])));
  b.output("y", matMul(b, hidden, transpose(b, c, [1, 0])));
  return withTensors(
    modelOf(b.build()),
    new Map([
      ["a.weight", float32([3, 2], first)],
      ["b.weight", float32([1, 3], second)],
    ]),
  );
}

const model = twoLayers();
const batches = [
  { x: [1, 0.5], target: [3] },
  { x: [-0.5, 1], target: [-1] },
];

/** Runs the graph on `reference` over two batches of one window each. */
const collect: Collect = async ({ graph, tensors, outputs }) => {
  const sums = new Map<string, TensorData>();
  const state = await reference.createState(tensors);
  const program = await reference.compile(graph, { state });
  for (const { x, target } of batches) {
    const given = new Map([
      ["x", float32([1, 2], x)],
      ["target", float32([1, 1], target)],
    ]);
    const wanted = new Map([...given].filter(([name]) => graph.inputs.some((input) => input.name === name)));
    for (const [name, tensor] of await program.run(wanted, { read: outputs })) {
      const before = sums.get(name)?.data;
      const data = Float32Array.from(tensor.data, (value, i) => value + (before?.[i] ?? 0));
      sums.set(name, { ...tensor, data } as TensorData);
    }
  }
  return sums;
};

/** Of one batch, by hand: the hidden values, and d(y − t)² by every weight. */
function byHand(
  { x, target }: (typeof batches)[number],
  weights: { readonly a: readonly number[]; readonly b: readonly number[] },
) {
  const { a, b } = weights;
  const before = [0, 1, 2].map((i) => a[2 * i]! * x[0]! + a[2 * i + 1]! * x[1]!);
  const hidden = before.map((value) => Math.max(value, 0));
  const error = 2 * (hidden.reduce((sum, value, i) => sum + value * b[i]!, 0) - target[0]!);
  return {
    hidden,
    a: a.map((_, i) => {
      const unit = Math.floor(i / 2);
      return before[unit]! > 0 ? error * b[unit]! * x[i % 2]! : 0;
    }),
    b: hidden.map((value) => error * value),
  };
}

const parts = batches.map((given) => byHand(given, { a: first, b: second }));
const [hiddenDimension] = prunableDimensions(model.dimensions);

function expectClose(got: ArrayLike<number> | undefined, expected: readonly number[]): void {
  expect(got).toHaveLength(expected.length);
  expected.forEach((value, i) => {
    expect(got![i]).toBeCloseTo(value, 4);
  });
}

describe("criteria, against values by hand", () => {
  /** Of each index of the hidden dimension, the sum of a number of each weight that goes with it. */
  const grouped = (a: readonly number[], b: readonly number[]) =>
    [0, 1, 2].map((i) => a[2 * i]! + a[2 * i + 1]! + b[i]!);
  const scored = async (criterion: Criterion) => {
    const weights = await criterion.weights({ model, collect }, ["a.weight", "b.weight"]);
    const [group] = await criterion.indices({ model, collect }, [hiddenDimension!]);
    return { a: weights.get("a.weight"), b: weights.get("b.weight"), group: group!.values };
  };

  it("l1: the magnitude, of a group the sum", async () => {
    const { a, b, group } = await scored(l1);
    expectClose(a, [1, 2, 3, 0.5, 4, 1]);
    expectClose(b, [2, 1, 0.25]);
    expectClose(group, [1 + 2 + 2, 3 + 0.5 + 1, 4 + 1 + 0.25]);
  });

  it("l2: the magnitude, of a group and of a whole dimension the norm", async () => {
    const { a, group } = await scored(l2);
    expectClose(a, [1, 2, 3, 0.5, 4, 1]);
    expectClose(group, [Math.hypot(1, 2, 2), Math.hypot(3, 0.5, 1), Math.hypot(4, 1, 0.25)]);
    expect(l2.whole!(group)).toBeCloseTo(Math.hypot(...first, ...second), 6);
  });

  it("wsap: shares by the rank of standard deviation ÷ |mean|, groups weighted by what is kept", async () => {
    const variation = (all: readonly number[]) => {
      const mean = all.reduce((sum, w) => sum + w, 0) / all.length;
      return Math.sqrt(all.reduce((sum, w) => sum + (w - mean) ** 2, 0) / all.length) / Math.abs(mean);
    };
    const statistics = weightStatistics(model);
    const [ofA, ofB] = [variation(first), variation(second)];
    expect(statistics.get("a.weight")!.coefficientOfVariation).toBeCloseTo(ofA, 5);
    expect(statistics.get("b.weight")!.coefficientOfVariation).toBeCloseTo(ofB, 5);
    // Of two, the percentiles lie between: the larger is above the 66th, the smaller below the 33rd.
    const [shareA, shareB] = ofA > ofB ? [0.7, 0.3] : [0.3, 0.7];
    const shares = (amount: number) => wsap.shares!(model, ["a.weight", "b.weight"], amount);
    expect([...shares(0.5).values()].map((share) => +share.toFixed(6))).toEqual([shareA, shareB]);
    expect(shares(0.75).get("a.weight")).toBeCloseTo(1 - (1 - shareA) ** 2, 6);
    const { group } = await scored(wsap);
    const kept = (all: readonly number[], share: number) => all.map((w) => Math.abs(w) * (1 - share));
    expectClose(group, grouped(kept(first, shareA), kept(second, shareB)));
  });

  it("random: uniform, the same for a seed, another for each tensor, index and seed", async () => {
    const numbers = async (seed: number) => {
      const { a, b, group } = await scored(random(seed));
      return [...a!, ...b!, ...group];
    };
    const once = await numbers(5);
    expect(await numbers(5)).toEqual(once);
    expect(new Set([...once, ...(await numbers(6))]).size).toBe(24);
    const wide = modelOf(drawEncoder({ width: 32, feedForward: 64, layers: 1 }));
    const many = await random(1).weights({ model: wide }, ["layers.0.feedForward1.weight"]);
    const all = many.get("layers.0.feedForward1.weight")!;
    const mean = all.reduce((sum, value) => sum + value, 0) / all.length;
    const variance = all.reduce((sum, value) => sum + (value - mean) ** 2, 0) / all.length;
    expect(mean).toBeCloseTo(1 / 2, 1);
    expect(variance).toBeCloseTo(1 / 12, 2);
    expect(random(1).whole!(Float64Array.of(0.3, 0.4))).toBe(0.3);
  });

  it("taylor: |g·w| of the summed gradient, |Σ g·w| of a group", async () => {
    const sum = (key: "a" | "b", i: number) => parts.reduce((total, part) => total + part[key][i]!, 0);
    const a = first.map((w, i) => w * sum("a", i));
    const b = second.map((w, i) => w * sum("b", i));
    const scores = await taylor().weights({ model, collect }, ["a.weight", "b.weight"]);
    expectClose(scores.get("a.weight"), a.map(Math.abs));
    expectClose(scores.get("b.weight"), b.map(Math.abs));
    const [group] = await taylor().indices({ model, collect }, [hiddenDimension!]);
    expectClose(
      group!.values,
      [0, 1, 2].map((i) => Math.abs(a[2 * i]! + a[2 * i + 1]! + b[i]!)),
    );
  });

  it("fisher: half the squared weight times the summed squared gradient", async () => {
    const sum = (key: "a" | "b", i: number) => parts.reduce((total, part) => total + part[key][i]! ** 2, 0);
    const a = first.map((w, i) => 0.5 * w * w * sum("a", i));
    const b = second.map((w, i) => 0.5 * w * w * sum("b", i));
    const scores = await fisher().weights({ model, collect }, ["a.weight"]);
    expectClose(scores.get("a.weight"), a);
    const [group] = await fisher().indices({ model, collect }, [hiddenDimension!]);
    expectClose(
      group!.values,
      [0, 1, 2].map((i) => a[2 * i]! + a[2 * i + 1]! + b[i]!),
    );
  });

  it("wanda: the weight's magnitude times the root mean square of its input", async () => {
    const norm = (of: (batch: number) => number) =>
      Math.sqrt(batches.reduce((sum, _, i) => sum + of(i) ** 2, 0));
    const inputs = [0, 1].map((k) => norm((i) => batches[i]!.x[k]!));
    const hidden = [0, 1, 2].map((k) => norm((i) => parts[i]!.hidden[k]!));
    const scores = await wanda().weights({ model, collect }, ["a.weight", "b.weight"]);
    expectClose(
      scores.get("a.weight"),
      first.map((w, i) => Math.abs(w) * inputs[i % 2]!),
    );
    expectClose(
      scores.get("b.weight"),
      second.map((w, i) => Math.abs(w) * hidden[i]!),
    );
    expectClose(
      (await scored(wanda())).group,
      grouped(
        first.map((w, i) => Math.abs(w) * inputs[i % 2]!),
        second.map((w, i) => Math.abs(w) * hidden[i]!),
      ),
    );
  });

  it("wanda: of a convolution's weight, the norm of each input at each tap", async () => {
    const [inputs, taps] = [2, 3];
    const b = Builder.create();
    const x = b.input("x", [batch, 4, inputs]);
    const weight = b.parameter("weight", [1, inputs, taps], filled(1));
    const shifted = [0, 1, 2].map((tap) => slice(b, x, 1, tap, tap + 2));
    const matrix = reshape(b, transpose(b, weight, [2, 1, 0]), [taps * inputs, 1]);
    b.output("y", matMul(b, concat(b, shifted, 2), matrix));
    const numbers = Array.from({ length: 8 }, (_, i) => Math.cos(3 * i));
    const given: Collect = async ({ graph, tensors, outputs }) => {
      const program = await reference.compile(graph, { state: await reference.createState(tensors) });
      return program.run(new Map([["x", float32([1, 4, 2], numbers)]]), { read: outputs });
    };
    const scores = await wanda().weights({ model: modelOf(b.build()), collect: given }, ["weight"]);
    // Element i · taps + tap sees x[row + tap, i] for the two rows of the result.
    const expected = Array.from({ length: inputs * taps }, (_, k) => {
      const [i, tap] = [Math.floor(k / taps), k % taps];
      return Math.sqrt([0, 1].reduce((sum, row) => sum + numbers[(row + tap) * inputs + i]! ** 2, 0) / 2);
    });
    expectClose(scores.get("weight"), expected);
  });

  it("spat: the root of the summed squares of what a window's loss changes without a group", async () => {
    // d loss / d hidden, times hidden; both batches hold one window.
    const s = parts.map(({ hidden }, i) => {
      const forecast = hidden.reduce((sum, value, k) => sum + value * second[k]!, 0);
      return hidden.map((value, k) => 2 * (forecast - batches[i]!.target[0]!) * second[k]! * value);
    });
    const [group] = await spat().indices({ model, collect }, [hiddenDimension!]);
    expectClose(
      group!.values,
      [0, 1, 2].map((k) => Math.hypot(...s.map((window) => window[k]!))),
    );
    const weights = await spat().weights({ model, collect }, ["a.weight"]);
    expect(weights.get("a.weight")).toEqual(
      (await taylor().weights({ model, collect }, ["a.weight"])).get("a.weight"),
    );
  });

  it("spat: a head's change is signed within its window and not between windows", async () => {
    const encoder = modelOf(drawEncoder({ layers: 1 }));
    const out = "layers.0.attention.out.weight";
    const heads = prunableDimensions(encoder.dimensions).filter(({ kind }) => kind === "head");
    const numbers = (size: number, of: number) =>
      Array.from({ length: size }, (_, i) => Math.sin(of + 2 * i));
    const over =
      (windows: readonly number[]): Collect =>
      async ({ graph, tensors, outputs }) => {
        const program = await reference.compile(graph, { state: await reference.createState(tensors) });
        const given = new Map([
          [
            "x",
            float32(
              [windows.length, 5, 3],
              windows.flatMap((of) => numbers(15, of)),
            ),
          ],
          [
            "target",
            float32(
              [windows.length, 5, 2],
              windows.flatMap((of) => numbers(10, of + 1)),
            ),
          ],
        ]);
        return program.run(given, { read: outputs });
      };
    const scored = async (windows: readonly number[]) => [
      ...(await spat().indices({ model: encoder, collect: over(windows) }, heads))[0]!.values,
    ];
    const [one, two, both] = [await scored([0.3]), await scored([1.7]), await scored([0.3, 1.7])];
    // The mean over a batch of two halves each window's gradient.
    expectClose(
      both,
      one.map((first, h) => Math.hypot(first, two[h]!) / 2),
    );
    // Of a single window it is what the loss changes as all that a head gives is scaled.
    const inputs = new Map([["x", float32([1, 5, 3], numbers(15, 0.3))]]);
    const loss = async (h: number, factor: number) => {
      const { data } = encoder.tensors.get(out)!;
      const scaled = data.map((w, i) => (Math.floor((i % 8) / 4) === h ? w * factor : w)) as Float32Array;
      const tensors = new Map(encoder.tensors).set(out, float32([8, 8], scaled));
      const got = (await runModel({ ...encoder, tensors }, reference, inputs)).get("y")!.data;
      return numbers(10, 1.3).reduce((sum, target, i) => sum + (got[i]! - target) ** 2, 0) / 10;
    };
    const slopes = await Promise.all(
      [0, 1].map(async (h) => Math.abs((await loss(h, 1.05)) - (await loss(h, 0.95))) / 0.1),
    );
    expectClose(one, slopes);
  });

  it("movement: −Σ w·g over steps of gradient descent, from the least on", async () => {
    const learningRate = 0.05;
    const weights = { a: [...first], b: [...second] };
    const moved = { a: first.map(() => 0), b: second.map(() => 0) };
    for (const given of batches) {
      const gradients = byHand(given, weights);
      for (const key of ["a", "b"] as const) {
        weights[key].forEach((w, i) => {
          moved[key][i]! -= w * gradients[key][i]!;
          weights[key][i] = w - learningRate * gradients[key][i]!;
        });
      }
    }
    const request = { model, collect };
    const all = [...moved.a, ...moved.b];
    const scores = await movement({ learningRate }).weights(request, ["a.weight", "b.weight"]);
    const least = Math.min(0, ...all);
    expect(least).toBeLessThan(0);
    expectClose(
      [...scores.get("a.weight")!, ...scores.get("b.weight")!],
      all.map((value) => value - least),
    );
    const [group] = await movement({ learningRate }).indices(request, [hiddenDimension!]);
    const sums = [0, 1, 2].map((i) => moved.a[2 * i]! + moved.a[2 * i + 1]! + moved.b[i]!);
    expectClose(
      group!.values,
      sums.map((value) => value - Math.min(0, ...sums)),
    );
    expect([...model.tensors.get("a.weight")!.data]).toEqual(first);
  });

  it("movement: a masked weight stays zero, so that the others move as if it were not there", async () => {
    const keep = maskFrom([3, 2], (i) => i !== 2);
    const masked = applySteps(model, [{ do: "mask", parameter: "a.weight", keep, because: "" }]);
    const request = { model: masked, collect };
    const scores = await movement({ learningRate: 0 }).weights(request, ["a.weight"]);
    const products = first.map((w, i) =>
      i === 2
        ? 0
        : -w *
          batches.reduce((sum, given) => sum + byHand(given, { a: first.with(2, 0), b: second }).a[i]!, 0),
    );
    expectClose(
      scores.get("a.weight"),
      products.map((value) => value - Math.min(0, ...products)),
    );
    const rate = 0.05;
    // Were it to move, the second step would see another loss.
    const still = await movement({ learningRate: rate }).weights(request, ["a.weight"]);
    const { a, b } = byHand(batches[0]!, { a: first.with(2, 0), b: second });
    const after = {
      a: first.map((w, i) => (i === 2 ? 0 : w - rate * a[i]!)),
      b: second.map((w, i) => w - rate * b[i]!),
    };
    const next = byHand(batches[1]!, after).a;
    const expected = first.map((w, i) => (i === 2 ? 0 : -w * a[i]! - after.a[i]! * next[i]!));
    expectClose(
      still.get("a.weight"),
      expected.map((value) => value - Math.min(0, ...expected)),
    );
  });

  it("lamp: the squared weight over all squares at least as large", async () => {
    const scores = await lamp.weights({ model }, ["a.weight", "b.weight"]);
    const share = (all: readonly number[]) =>
      all.map((w) => w ** 2 / all.reduce((sum, u) => sum + (u ** 2 >= w ** 2 ? u ** 2 : 0), 0));
    expectClose(scores.get("a.weight"), share(first));
    expectClose(scores.get("b.weight"), share(second));
    expect(Math.max(...scores.get("b.weight")!)).toBe(1);
    const energy = (all: readonly number[]) => {
      const total = all.reduce((sum, w) => sum + w * w, 0);
      return all.map((w) => (w * w) / total);
    };
    const { group } = await scored(lamp);
    expectClose(group, grouped(energy(first), energy(second)));
  });

  it("geometric-median: the distance of a group from all others", async () => {
    const groups = [0, 1, 2].map((i) => [first[2 * i]!, first[2 * i + 1]!, second[i]!]);
    const distance = (a: readonly number[], b: readonly number[]) =>
      Math.hypot(...a.map((v, k) => v - b[k]!));
    const [scores] = await geometricMedian.indices({ model }, [hiddenDimension!]);
    expectClose(
      scores!.values,
      groups.map((own) => groups.reduce((sum, other) => sum + distance(own, other), 0)),
    );
    expectClose((await scored(geometricMedian)).b, [2, 1, 0.25]);
  });
});

describe("every criterion", () => {
  const encoder = modelOf(drawEncoder());
  const run: Collect = async ({ graph, tensors, outputs }) => {
    const state = await reference.createState(tensors);
    const program = await reference.compile(graph, { state });
    const numbers = (size: number) => Array.from({ length: size }, (_, i) => Math.sin(i));
    const given = new Map([
      ["x", float32([2, 5, 3], numbers(30))],
      ["target", float32([2, 5, 2], numbers(20))],
    ]);
    const wanted = new Map([...given].filter(([name]) => graph.inputs.some((input) => input.name === name)));
    return program.run(wanted, { read: outputs });
  };

  it.each(criterionNames)("%s gives a number ≥ 0 for every weight and every index", async (name) => {
    const criterion = findCriterion(name, 3);
    const tensors = ["layers.0.attention.query.weight", "projection.weight"];
    const weights = await criterion.weights({ model: encoder, collect: run }, tensors);
    expect([...weights.keys()]).toEqual(tensors);
    for (const [tensor, scores] of weights) {
      expect(scores.length).toBe(encoder.tensors.get(tensor)!.data.length);
      expect(scores.every((score) => score >= 0)).toBe(true);
    }
    const dimensions = prunableDimensions(encoder.dimensions);
    const indices = await criterion.indices({ model: encoder, collect: run }, dimensions);
    for (const [i, { values, outer }] of indices.entries()) {
      expect(values.length).toBe(outer * dimensions[i]!.size);
      expect(values.every((score) => score >= 0)).toBe(true);
      expect(values.some((score) => score > 0)).toBe(true);
    }
  });

  it.each(["taylor", "fisher", "wanda", "spat", "movement"])(
    "%s says what it needs where there is no data",
    async (name) => {
      const asked = findCriterion(name).weights({ model: encoder }, ["projection.weight"]);
      await expect(asked).rejects.toThrow(EspalierError);
      await expect(asked).rejects.toThrow("needs data");
    },
  );
});
