import { randomInputs, reference } from "@espalier/core";
import { Builder, batch, expand } from "@espalier/core/graph";
import { backendChecks, drawEncoder, modelOf } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { tfjs } from "../src/index.ts";
import { loadTf } from "../src/runtime.ts";

const kinds = ["wasm", "cpu", "webgpu", "tensorflow"] as const;

/** Why a kind cannot be tried on this machine. */
const missing = new Map<string, string>();
for (const kind of kinds) {
  const { available, detail } = await tfjs({ kind }).availability();
  if (!available) missing.set(kind, detail);
}

/** WGSL promises sines to 2⁻¹¹ only; software adapters take that at its word. */
const coarse = /^(Sin|Cos) /;

/** What a machine may lack. */
const optional: readonly string[] = ["webgpu", "tensorflow"];

describe.each(kinds)("TensorFlow.js, %s", { timeout: 120_000 }, (kind) => {
  const backend = tfjs({ kind });
  const reason = missing.get(kind);
  if (reason !== undefined && optional.includes(kind)) {
    it.skip(`skipped: ${reason}`, () => {});
    return;
  }
  const checks = backendChecks(backend);
  const loose = backendChecks(backend, { tolerance: 5e-4 });
  const stated = checks.map((check, i) => (kind === "webgpu" && coarse.test(check.name) ? loose[i]! : check));

  it.each(stated.map((check) => [check.name, check] as const))("%s", async (_name, check) => {
    await check.run();
  });

  it("repeats axes of tensors with five", async () => {
    const b = Builder.create();
    b.output("y", expand(b, b.input("x", [batch, 1, 3, 1, 2]), [batch, 4, 3, 5, 2]));
    const model = modelOf(b.build());
    const inputs = randomInputs(model, 2);
    const [expected, got] = await Promise.all(
      [reference, backend].map(async (on) => {
        const state = await on.createState(model.tensors);
        return (await (await on.compile(model.graph, { state })).run(inputs)).get("y")!;
      }),
    );
    expect(got!.data).toEqual(expected!.data);
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

it("refuses a state of another kind", async () => {
  const state = await tfjs({ kind: "cpu" }).createState(new Map());
  const { graph } = modelOf(drawEncoder());
  await expect(tfjs({ kind: "wasm" }).compile(graph, { state })).rejects.toThrow(
    "created by another backend",
  );
});

it.runIf(missing.get("webgpu") === undefined)("says when the GPU is a program", async () => {
  const { device, software, detail } = await tfjs({ kind: "webgpu" }).availability();
  expect(device).toEqual(expect.any(String));
  expect(detail.includes("software: correctness only")).toBe(software);
});

it("kinds take turns in one process", async () => {
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
