import { caseName } from "@espalier/core/testing";
import { describe, it } from "vitest";
import { writeTfjs } from "../src/index.ts";
import { emitters } from "../src/tfjs/operators.ts";
import { caseModel, evaluationCases, expectComplete, expectOutputs } from "./operator-forms.ts";
import { loadTfjs, runTfjs } from "./tfjs-runtime.ts";

describe("operators in TensorFlow.js", () => {
  it("has a form for every operator of an evaluation graph", () => {
    expectComplete(emitters, ["LSTM", "GRU"]);
  });

  it.each(
    evaluationCases
      .filter(({ operator }) => emitters.has(operator))
      .map((one) => [caseName(one), one] as const),
  )("computes %s", async (name, one) => {
    const model = caseModel(one, name);
    const loaded = await loadTfjs(writeTfjs(model));
    await expectOutputs(one, model, (inputs) => runTfjs(loaded, inputs));
    loaded.dispose();
  });
});
