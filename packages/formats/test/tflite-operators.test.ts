import { caseName } from "@espalier/core/testing";
import { withLiteRt } from "@espalier/runtimes/litert-node";
import { describe, it } from "vitest";
import { writeTflite } from "../src/index.ts";
import { emitters } from "../src/tflite/operators.ts";
import { caseModel, evaluationCases, expectComplete, expectOutputs } from "./operator-forms.ts";

describe("operators in LiteRT", () => {
  it("has a form for every operator of an evaluation graph", () => {
    expectComplete(emitters, ["LSTM", "GRU"]);
  });

  it.each(
    evaluationCases
      .filter(({ operator }) => emitters.has(operator))
      .map((one) => [caseName(one), one] as const),
  )("computes %s", async (name, one) => {
    const model = caseModel(one, name);
    await expectOutputs(one, model, (inputs, batch) =>
      withLiteRt(writeTflite(model, { batch }), (run) => run(inputs)),
    );
  });
});
