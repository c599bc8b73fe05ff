import { backendChecks, drawEncoder, modelOf, randomInputs } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { tfjs } from "../src/index.ts";
import { loadTf } from "../src/runtime.ts";

describe.each(["wasm", "cpu"] as const)("tfjs-%s", (kind) => {
  const backend = tfjs({ kind });

  it.each(backendChecks(backend).map((check) => [check.name, check] as const))("%s", async (_name, check) => {
    await check.run();
  });

  it("says what it is", async () => {
    expect(await backend.availability()).toMatchObject({
      available: true,
      detail: expect.stringContaining("TensorFlow.js 4.22"),
    });
  });

  it("frees every tensor", async () => {
    const tf = await loadTf();
    const model = modelOf(drawEncoder());
    const before = tf.memory().numTensors;
    const state = await backend.createState(model.tensors);
    const program = await backend.compile(model.graph, { state });
    await program.run(randomInputs(model, 2));
    const held = tf.memory().numTensors;
    for (let i = 0; i < 3; i++) await program.run(randomInputs(model, 2));
    expect(tf.memory().numTensors).toBe(held);
    program.dispose();
    state.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});

it("both kinds take turns in one process", async () => {
  const model = modelOf(drawEncoder());
  const inputs = randomInputs(model);
  const outputs = await Promise.all(
    (["wasm", "cpu"] as const).map(async (kind) => {
      const backend = tfjs({ kind });
      const state = await backend.createState(model.tensors);
      const program = await backend.compile(model.graph, { state });
      await program.run(inputs);
      return (await program.run(inputs)).get("y")!.data;
    }),
  );
  outputs[0]!.forEach((value, i) => {
    expect(value).toBeCloseTo(outputs[1]![i]!, 4);
  });
});
