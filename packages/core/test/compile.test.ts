import { randomInputs, reference, type TensorData } from "@espalier/core";
import {
  adamInPlace,
  attention,
  dropout as dropoutPattern,
  equalNodesOnce,
  findOperations,
  linear,
  type Operation,
  outputsOf,
  type Rule,
  rewritingRules,
  type Survey,
  survey,
} from "@espalier/core/compile";
import {
  adamOperator,
  add,
  Builder,
  batch,
  differentiate,
  drawTrainingForward,
  dropout,
  type Graph,
  gelu,
  isBatch,
  matMul,
  mul,
  randomUniformOperator,
  reduceSum,
  relu,
  scale,
  softmax,
  softmaxOperator,
  swapAxes,
  type Value,
  type ValueId,
} from "@espalier/core/graph";
import { drawNetwork, modelOf, randomGraph } from "@espalier/core/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dropoutTraining } from "../src/operators/random.ts";
import { network } from "./networks.ts";

/** The graph that a survey leaves, for the reference to run. */
function leftOf({ graph, nodes, source }: Survey): Graph {
  return {
    ...graph,
    nodes: nodes.map(({ node, inputs }) => ({ ...node, inputs })),
    outputs: graph.outputs.map(({ name, value }) => ({ name, value: source(value) })),
    updates: graph.updates.map(({ tensor, value }) => ({ tensor, value: source(value) })),
  };
}

async function run(graph: Graph, tensors: ReadonlyMap<string, TensorData>) {
  const state = await reference.createState(tensors);
  const program = await reference.compile(graph, { state });
  return program.run(randomInputs({ graph }, 3));
}

/** Forward and backward pass of a network: the sum of its output's squares, and every gradient of it. */
function drawGradients(drawing: ReturnType<typeof drawNetwork>) {
  const model = modelOf(drawing);
  const forward = drawTrainingForward(model.graph, (b) => ({ seed: b.constant(1), step: b.constant(2) }));
  const { builder: b, outputs, parameters } = forward;
  const y = outputs.get("y")!;
  const axes = y.shape.map((_, axis) => axis);
  const loss = reduceSum(b, mul(b, y, y), axes);
  differentiate(b, loss, [...parameters.values()]).forEach((gradient, i) => {
    if (gradient !== undefined) b.output(`d${i}`, gradient);
  });
  b.output("loss", loss);
  const { graph, data } = b.build();
  return { graph, tensors: new Map([...model.tensors, ...data]) };
}

describe.each<[string, readonly Rule[]]>([
  ...rewritingRules.map((rule): [string, readonly Rule[]] => [rule.name, [rule]]),
  ["all rules", rewritingRules],
])("rewriting: %s", (_name, rules) => {
  it("changes no number of a training graph", async () => {
    await fc.assert(
      fc.asyncProperty(network, async (description) => {
        const { graph, tensors } = drawGradients(drawNetwork(description));
        const left = leftOf(survey(graph, rules));
        expect(await run(left, tensors)).toEqual(await run(graph, tensors));
      }),
      { numRuns: 20, seed: 5 },
    );
  });

  it("changes no number of random graphs", async () => {
    for (let seed = 0; seed < 40; seed++) {
      const { graph, tensors } = randomGraph(seed);
      const left = leftOf(survey(graph, rules));
      expect(await run(left, tensors), `random graph ${seed}`).toEqual(await run(graph, tensors));
    }
  });
});

describe("equal nodes", () => {
  it("are one, those that read them too; others are not", () => {
    const b = Builder.create();
    const x = b.input("x", [batch, 3, 4]);
    const [one, other] = [swapAxes(b, x, 1, 2), swapAxes(b, x, 1, 2)];
    b.output("same", add(b, relu(b, one), relu(b, other)));
    b.output("different", add(b, scale(b, one, 2), scale(b, other, 3)));
    const { nodes } = survey(b.build().graph, [equalNodesOnce]);
    expect(nodes.map(({ node }) => node.operator.name)).toEqual([
      "Transpose",
      "Relu",
      "Add",
      "Scale",
      "Scale",
      "Add",
    ]);
  });

  it("are found in what training draws: the activations of queries, keys and values are transposed once", () => {
    const { graph } = drawGradients(
      drawNetwork({
        tokens: 4,
        input: 3,
        patched: false,
        width: 6,
        blocks: [{ kind: "attention", heads: 2, channels: 3, valueChannels: 3, fold: false }],
        head: "linear",
        mixed: 0,
      }),
    );
    const count = (rules: readonly Rule[]) =>
      survey(graph, rules).nodes.filter(({ node }) => node.operator.name === "Transpose").length;
    expect(count(rewritingRules)).toBeLessThan(count([]) - 1);
  });
});

/** The kinds of a graph's operations, nodes by their operators' names. */
function kindsOf(graph: Graph, patterns: Parameters<typeof findOperations>[1]): string[] {
  return findOperations(survey(graph), patterns).map(({ kind, node }) =>
    kind === "node" ? node.operator.name : kind,
  );
}

function drawn(draw: (b: Builder, x: Value) => Value): Graph {
  const b = Builder.create();
  b.output("y", draw(b, b.input("x", [batch, 3, 4])));
  return b.build().graph;
}

function readBy(operation: Operation): readonly ValueId[] {
  if (operation.kind === "attention") return [operation.q, operation.k, operation.v];
  if (operation.kind !== "linear") return operation.inputs;
  const { x, weight, bias, residual } = operation;
  return [x, weight, bias, residual].filter((value) => value !== undefined);
}

const anyAttention = attention({ takes: () => true, fits: () => true });
const patterns = [adamInPlace, dropoutPattern, anyAttention, linear];

describe("patterns", () => {
  it("leave every value that is needed, and compute it before it is read", () => {
    fc.assert(
      fc.property(network, (description) => {
        const { graph } = drawGradients(drawNetwork(description));
        for (const one of [graph, modelOf(drawNetwork(description)).graph]) checkOrder(one);
      }),
      { numRuns: 20, seed: 6 },
    );
    for (let seed = 0; seed < 40; seed++) checkOrder(randomGraph(seed).graph);
  });

  function checkOrder(graph: Graph): void {
    const known = survey(graph);
    const there = new Set([...graph.inputs, ...graph.tensors].map(({ value }) => value));
    for (const operation of findOperations(known, patterns)) {
      for (const value of readBy(operation)) expect(there).toContain(value);
      for (const output of outputsOf(operation)) there.add(output);
    }
    for (const { value } of [...graph.outputs, ...graph.updates])
      expect(there).toContain(known.source(value));
  }

  const layer = (b: Builder, x: Value, name: string) =>
    add(b, matMul(b, x, b.tensor(name, "trainable", { dtype: "float32", shape: [4, 4] })), bias(b, name));
  const bias = (b: Builder, name: string) =>
    b.tensor(`${name}.bias`, "trainable", { dtype: "float32", shape: [4] });

  it("a linear layer takes in bias, activation and residual", () => {
    expect(
      kindsOf(
        drawn((b, x) => gelu(b, layer(b, x, "w"))),
        patterns,
      ),
    ).toEqual(["linear"]);
    expect(
      kindsOf(
        drawn((b, x) => add(b, x, layer(b, x, "w"))),
        patterns,
      ),
    ).toEqual(["linear"]);
    const graph = drawn((b, x) => add(b, x, dropout(b, layer(b, x, "w"), 0.1)));
    expect(kindsOf(graph, patterns)).toEqual(["linear"]);
  });

  it("a linear layer whose product is read elsewhere stays a product", () => {
    const graph = drawn((b, x) => {
      const product = matMul(b, x, b.tensor("w", "trainable", { dtype: "float32", shape: [4, 4] }));
      return mul(b, gelu(b, product), product);
    });
    expect(kindsOf(graph, patterns)).toEqual(["linear", "Gelu", "Mul"]);
  });

  /** Attention of x to itself, its softmax with the axis as it is given. */
  const attends = (axis: number, v?: (b: Builder, weights: Value, x: Value) => Value) =>
    drawn((b, x) => {
      const scores = scale(b, matMul(b, x, swapAxes(b, x, 1, 2)), 0.5);
      const weights = b.apply(softmaxOperator, [scores], { axis });
      return matMul(b, weights, v?.(b, weights, x) ?? x);
    });

  it("attention is found however its axis is counted", () => {
    expect(kindsOf(attends(-1), patterns)).toEqual(["Transpose", "attention"]);
    expect(kindsOf(attends(2), patterns)).toEqual(["Transpose", "attention"]);
    expect(kindsOf(attends(1), patterns)).not.toContain("attention");
  });

  it("probabilities that are needed otherwise, be it as values of themselves, are no attention", () => {
    expect(
      kindsOf(
        attends(-1, (_b, weights) => weights),
        patterns,
      ),
    ).not.toContain("attention");
    expect(
      kindsOf(
        attends(-1, (b, weights, x) => matMul(b, weights, x)),
        patterns,
      ),
    ).not.toContain("attention");
  });

  it("a mask between product and softmax is attention where a backend takes it", () => {
    const graph = drawn((b, x) => {
      const mask = b.tensor("mask", "buffer", { dtype: "float32", shape: [3, 3] });
      return matMul(b, softmax(b, add(b, matMul(b, x, swapAxes(b, x, 1, 2)), mask), -1), x);
    });
    expect(kindsOf(graph, patterns)).toEqual(["Transpose", "attention"]);
    const scaleOnly = attention({ takes: ({ node }) => node.operator.name === "Scale", fits: () => true });
    expect(kindsOf(graph, [scaleOnly])).not.toContain("attention");
  });

  it("shapes at any batch size are what fits is asked with", () => {
    const asked: string[] = [];
    const nosy = attention({
      takes: () => true,
      fits({ q }, shapeOf) {
        asked.push(
          shapeOf(q)
            .map((extent) => (isBatch(extent) ? "batch" : extent))
            .join(),
        );
        return false;
      },
    });
    expect(kindsOf(attends(-1), [nosy])).not.toContain("attention");
    expect(asked).toEqual(["batch,3,4"]);
  });

  /** Adam for w, whose new values are shown, too, if asked. */
  const optimises = (shown: boolean) => {
    const b = Builder.create();
    const type = { dtype: "float32", shape: [4] } as const;
    const [w, m, v, mask] = ["w", "m", "v", "mask"].map((name) => b.tensor(name, "buffer", type));
    const inputs = [w!, b.input("gradient", [4]), m!, v!, b.constant(1), b.constant(0.1), mask!];
    const results = b.applyAll(adamOperator, inputs, {
      beta1: 0.9,
      beta2: 0.99,
      epsilon: 1e-8,
      weightDecay: 0,
    });
    for (const [i, name] of ["w", "m", "v"].entries()) b.update(name, results[i]!);
    if (shown) b.output("w2", results[0]!);
    return b.build().graph;
  };

  it("Adam writes in place what nothing else needs", () => {
    expect(kindsOf(optimises(false), patterns)).toEqual(["adam"]);
    expect(kindsOf(optimises(true), patterns)).toEqual(["Adam"]);
  });

  /** Two dropouts by the same numbers. */
  const drops = (ratios: readonly number[]) =>
    drawn((b, x) => {
      const attributes = { shape: x.shape, stream: 1 };
      const uniform = b.apply(randomUniformOperator, [b.constant(1), b.constant(2)], attributes);
      const [one, other] = ratios.map((ratio) => b.apply(dropoutTraining, [x, uniform], { ratio }));
      return mul(b, one!, relu(b, other!));
    });

  it("random numbers are drawn as the factors of dropouts of one ratio", () => {
    expect(kindsOf(drops([0.1, 0.1]), patterns)).toEqual(["dropoutFactors", "dropoutProduct", "Relu", "Mul"]);
    expect(kindsOf(drops([0.1, 0.2]), patterns)).not.toContain("dropoutFactors");
  });

  it("random numbers are never fixed, whatever they are drawn from", () => {
    const { nodes, isFixed } = survey(drops([0.1, 0.2]));
    expect(nodes.map(({ node }) => isFixed(node.outputs[0]!))).not.toContain(true);
  });
});
