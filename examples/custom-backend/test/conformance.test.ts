import { randomInputs, reference, runModel } from "@espalier/core";
import { backendChecks, drawEncoder, modelOf, relativeError } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { plain } from "../src/index.ts";

describe("a backend written outside Espalier", () => {
  it.each(backendChecks(plain()).map((check) => [check.name, check] as const))("%s", async (_name, check) => {
    await check.run();
  });

  it("refuses a state of another backend", async () => {
    const model = modelOf(drawEncoder());
    const state = await reference.createState(model.tensors);
    await expect(plain().compile(model.graph, { state })).rejects.toThrow(/created by another backend/);
  });

  it("computes what the reference does, in single precision", async () => {
    const model = modelOf(drawEncoder());
    const inputs = randomInputs(model);
    const [own, expected] = [
      await runModel(model, plain(), inputs),
      await runModel(model, reference, inputs),
    ];
    const error = relativeError(own.get("y")!, expected.get("y")!);
    expect(error).toBeGreaterThan(0);
    expect(error).toBeLessThan(1e-6);
  });
});
