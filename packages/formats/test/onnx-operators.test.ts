import { caseName } from "@espalier/core/testing";
import { describe, it } from "vitest";
import { writeOnnx } from "../src/index.ts";
import { rules } from "../src/onnx/operators.ts";
import { withOnnx } from "./onnx-runtime.ts";
import { caseModel, evaluationCases, expectComplete, expectOutputs } from "./operator-forms.ts";

describe("operators in ONNX", () => {
  it("has a form for every operator of an evaluation graph", () => {
    expectComplete(rules);
  });

  for (const opset of [17, 21]) {
    describe(`opset ${opset}`, () => {
      it.each(evaluationCases.map((one) => [caseName(one), one] as const))(
        "computes %s",
        async (name, one) => {
          const model = caseModel(one, name);
          await withOnnx(writeOnnx(model, { opset }), "onnxruntime-node", (run) =>
            expectOutputs(one, model, run),
          );
        },
      );
    });
  }
});
