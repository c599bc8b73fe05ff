import { createModel, type Model, reference, runModel, type Tensors } from "@espalier/core";
import { isBatch, operators } from "@espalier/core/graph";
import { caseInputs, drawCase, largestError, type OperatorCase, operatorCases } from "@espalier/core/testing";
import { expect } from "vitest";

/** Operators that occur in training graphs only: gradients, and what stands for an operator while training. */
const training = /Gradient$|Training$|^Adam$|^RandomUniform$/;

/** A format has a form for every operator of an evaluation graph, and for no other. */
export function expectComplete(forms: ReadonlyMap<string, unknown>, lacks: readonly string[] = []): void {
  expect([...operators.keys()].filter((name) => !training.test(name) && !forms.has(name))).toEqual(lacks);
  expect([...forms.keys()].filter((name) => !operators.has(name))).toEqual([]);
}

/** Calls of the operators of evaluation graphs. */
export const evaluationCases: readonly OperatorCase[] = operatorCases.filter(
  ({ operator }) => !training.test(operator),
);

/** A model of one call, of all it gives but the cells of an LSTM: no format has those of every step. */
export function caseModel(one: OperatorCase, name: string): Model {
  const { graph } = drawCase(one);
  const outputs = one.operator === "LSTM" ? graph.outputs.slice(0, 1) : graph.outputs;
  return createModel({ name, graph: { ...graph, outputs }, tensors: new Map() });
}

/** All outputs of a case are the reference's, at two batch sizes; `run` is told which. */
export async function expectOutputs(
  one: OperatorCase,
  model: Model,
  run: (inputs: Tensors, batch: number) => Promise<Tensors>,
): Promise<void> {
  for (const batch of [1, 3]) {
    const inputs = caseInputs(one, batch);
    const expected = await runModel(model, reference, inputs);
    const open = one.inputs.some(({ shape }) => shape.some(isBatch));
    const got = await run(inputs, open ? batch : 1);
    expect([...got.keys()].sort()).toEqual([...expected.keys()].sort());
    for (const [name, tensor] of expected) {
      const { shape, dtype } = got.get(name)!;
      expect({ shape, dtype }).toEqual({ shape: tensor.shape, dtype: tensor.dtype });
      expect(largestError(got.get(name)!, tensor)).toBeLessThan(1e-5);
    }
  }
}
