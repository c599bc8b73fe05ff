import { randomInputs } from "@espalier/core";
import { modelChecks } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import {
  autoformer,
  fedformer,
  fromOriginalConfig,
  inferOptions,
  informer,
  nonstationaryTransformer,
  transformer,
} from "../src/index.ts";

const sizes = {
  inputLength: 10,
  labelLength: 4,
  horizon: 3,
  series: 2,
  width: 6,
  heads: 2,
  feedForward: 5,
  layers: 1,
};

describe("calendar tables", () => {
  it.each([
    [transformer, "fixed"],
    [informer, "learned"],
    [nonstationaryTransformer, "fixed"],
    [autoformer, "learned"],
    [fedformer, "learned"],
  ] as const)("are seen in the weights, and pruned with the width", async (draw, timeEmbedding) => {
    const model = draw({ ...sizes, marks: 5, timeEmbedding }).initialize(1);
    expect(inferOptions(model.name, model.tensors).seen).toMatchObject({ marks: 5, timeEmbedding });
    for (const check of modelChecks(model)) await check.run();
    const inputs = randomInputs(model);
    expect(inputs.get("x_mark_enc")!.dtype).toBe("int32");
  });

  it("are refused for other numbers than the calendar's", () => {
    expect(() => transformer({ ...sizes, marks: 3, timeEmbedding: "learned" })).toThrow(
      "marks: must be 4, or 5 for minutes",
    );
    expect(() => fromOriginalConfig("iTransformer", { embed: "fixed" })).toThrow(
      "calendar numbers as tokens",
    );
    expect(() => fromOriginalConfig("Transformer", { embed: "sine" })).toThrow(
      "Known: timeF, fixed, learned.",
    );
  });
});
