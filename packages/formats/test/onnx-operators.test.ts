import { createModel, operators, reference } from "@espalier/core";
import {
  caseInputs,
  caseName,
  drawCase,
  largestError,
  operatorCases,
  runModel,
} from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { writeOnnx } from "../src/index.ts";
import { rules } from "../src/onnx/operators.ts";
import { withOnnx } from "./onnx-runtime.ts";

/** Operators that occur in training graphs only: gradients, and what stands for an operator while training. */
const training = /Gradient$|Training$|^Adam$|^RandomUniform$/;

describe("operators in ONNX", () => {
  it("has a form for every operator of an evaluation graph", () => {
    expect([...operators.keys()].filter((name) => !training.test(name) && !rules.has(name))).toEqual([]);
    expect([...rules.keys()].filter((name) => !operators.has(name))).toEqual([]);
  });

  const cases = operatorCases.filter(({ operator }) => rules.has(operator));
  for (const opset of [17, 21]) {
    describe(`opset ${opset}`, () => {
      it.each(cases.map((one) => [caseName(one), one] as const))("computes %s", async (name, one) => {
        const model = createModel({ name, graph: drawCase(one).graph, tensors: new Map() });
        const file = writeOnnx(model, { opset });
        await withOnnx(file, "onnxruntime-node", async (run) => {
          for (const batch of [1, 3]) {
            const inputs = caseInputs(one, batch);
            const expected = (await runModel(model, reference, inputs)).get("y0")!;
            const got = (await run(inputs)).get("y0")!;
            expect(got.shape).toEqual(expected.shape);
            expect(largestError(got, expected)).toBeLessThan(1e-5);
          }
        });
      });
    });
  }
});
