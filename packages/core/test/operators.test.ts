import { EspalierError, ShapeError } from "@espalier/core";
import {
  adamOperator,
  Builder,
  batch,
  operators,
  randomKey,
  reluOperator,
  softmaxOperator,
} from "@espalier/core/graph";
import { caseName, gradientError, operatorCases, uncoveredOperators } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { batchNormalizationTraining } from "../src/operators/batch-normalization.ts";
import { geluOperator } from "../src/operators/elementwise.ts";
import { layerNormalizationOperator } from "../src/operators/layer-normalization.ts";
import { defineOperator } from "../src/operators/operator.ts";
import { randomAt } from "../src/operators/random.ts";

const array = (shape: number[], data: number[]) => ({ shape, data: Float64Array.from(data) });

describe("operators", () => {
  it("are listed under their own names", () => {
    for (const [name, operator] of operators) expect(operator.name).toBe(name);
  });

  it("each have a conformance case", () => {
    expect(uncoveredOperators()).toEqual([]);
  });
});

describe("shapes that do not fit", () => {
  const drawn = (infer: () => never) => () => {
    const b = Builder.create();
    const operator = defineOperator({ ...reluOperator, name: "Odd", infer });
    b.apply(operator, [b.input("x", [batch, 3])], {});
  };

  it("are told with the node", () => {
    const odd = drawn(() => {
      throw new ShapeError("3 is odd");
    });
    expect(odd).toThrow(new EspalierError("node Odd (Odd) of [batch, 3]: 3 is odd."));
  });

  it("are not what a mistake in an operator is called", () => {
    const recursion = (): never => recursion();
    expect(drawn(recursion)).toThrow(RangeError);
    expect(drawn(() => new Array(-1) as never)).toThrow("Invalid array length");
  });
});

describe("gradients agree with central differences", () => {
  const differentiable = operatorCases.filter(({ operator, differentiable: inputs }) => {
    const { gradient } = operators.get(operator)!;
    return gradient !== undefined && operator !== "Dropout" && inputs?.length !== 0;
  });
  it.each(differentiable.map((one) => [caseName(one), one] as const))("%s", (_name, one) => {
    const targets = one.operator === "BatchNormalization" ? { ...one, differentiable: [0, 1, 2] } : one;
    expect(gradientError(targets)).toBeLessThan(1e-6);
  });
});

describe("definitions agree with closed forms", () => {
  it("softmax of (0, ln 2, ln 5) is (1, 2, 5) / 8", () => {
    const [y] = softmaxOperator.evaluate(
      [array([1, 3], [0, Math.log(2), Math.log(5)])],
      { axis: 1 },
      [[1, 3]],
      1,
    );
    for (const [i, expected] of [1 / 8, 2 / 8, 5 / 8].entries()) expect(y!.data[i]).toBeCloseTo(expected, 14);
  });

  it("gelu is exact: x·Φ(x)", () => {
    const points = [-10, -3, -1, 0, 0.5, 1, 2.6, 10];
    const expected = [
      -7.61985302416e-23, -0.00404969409, -0.158655253931, 0, 0.345731230637, 0.841344746069, 2.587880911138,
      10,
    ];
    const [y] = geluOperator.evaluate([array([8], points)], {}, [[8]], 1);
    for (const [i, value] of expected.entries()) expect(y!.data[i]).toBeCloseTo(value, 8);
  });

  it("layer normalization of (1, 2, 3) has variance 2/3", () => {
    const inputs = [array([1, 3], [1, 2, 3]), array([3], [1, 1, 2]), array([3], [0, 0, 1])];
    const [y] = layerNormalizationOperator.evaluate(inputs, { epsilon: 0 }, [[1, 3]], 1);
    const unit = 1 / Math.sqrt(2 / 3);
    for (const [i, expected] of [-unit, 0, 2 * unit + 1].entries())
      expect(y!.data[i]).toBeCloseTo(expected, 14);
  });

  it("running variance takes the unbiased estimate", () => {
    const inputs = [
      array([2, 1, 2], [1, 2, 3, 6]),
      array([1], [1]),
      array([1], [0]),
      array([1], [10]),
      array([1], [10]),
    ];
    const [, mean, variance] = batchNormalizationTraining.evaluate(
      inputs,
      { epsilon: 0, momentum: 0.1 },
      [[2, 1, 2], [1], [1]],
      1,
    );
    expect(mean!.data[0]).toBeCloseTo(0.9 * 10 + 0.1 * 3, 12);
    expect(variance!.data[0]).toBeCloseTo(0.9 * 10 + (0.1 * 14) / 3, 12);
  });

  it("adam's first step has the size of the learning rate, and masked weights stay zero", () => {
    const settings = { beta1: 0.9, beta2: 0.999, epsilon: 0, weightDecay: 0 };
    const inputs = [
      array([2], [1, 5]),
      array([2], [-0.3, 4]),
      array([2], [0, 0]),
      array([2], [0, 0]),
      array([], [1]),
      array([], [0.01]),
      array([2], [1, 0]),
    ];
    const [p] = adamOperator.evaluate(inputs, settings, [[2], [2], [2]], 1);
    expect(p!.data[0]).toBeCloseTo(1.01, 12);
    expect(p!.data[1]).toBe(0);
  });

  it("random numbers are uniform, and other for each seed, step and stream", () => {
    const stream = (seed: number, step: number, node: number) =>
      Array.from({ length: 20_000 }, (_, i) => randomAt(randomKey(seed, step, node), i));
    const numbers = stream(1, 2, 3);
    const mean = numbers.reduce((sum, u) => sum + u, 0) / numbers.length;
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.01);
    const lag =
      numbers.slice(1).reduce((sum, u, i) => sum + (u - 0.5) * (numbers[i]! - 0.5), 0) / numbers.length;
    expect(Math.abs(lag)).toBeLessThan(0.002);
    for (const other of [stream(2, 2, 3), stream(1, 3, 3), stream(1, 2, 4)])
      expect(other.slice(0, 9)).not.toEqual(numbers.slice(0, 9));
    expect(numbers.slice(0, 3)).toEqual(stream(1, 2, 3).slice(0, 3));
  });
});
