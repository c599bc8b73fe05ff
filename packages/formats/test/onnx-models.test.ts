import { type Model, prune, randomInputs, reference, runModel } from "@espalier/core";
import { largestError } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { writeOnnx } from "../src/index.ts";
import { runtimeNames, withOnnx } from "./onnx-runtime.ts";
import { models, strategies } from "./subjects.ts";

/** Runs files in both runtimes, at two batch sizes, and compares with the reference. */
async function agree(model: Model, ...files: readonly Uint8Array[]): Promise<void> {
  const runs = await Promise.all(
    [1, 3].map(async (batch) => {
      const inputs = randomInputs(model, batch);
      return { inputs, expected: await runModel(model, reference, inputs) };
    }),
  );
  for (const file of files) {
    for (const runtime of runtimeNames) {
      await withOnnx(file, runtime, async (run) => {
        for (const { inputs, expected } of runs) {
          const got = await run(inputs);
          expect([...got.keys()]).toEqual([...expected.keys()]);
          for (const [name, tensor] of expected)
            expect(largestError(got.get(name)!, tensor)).toBeLessThan(1e-5);
        }
      });
    }
  }
}

describe.each(models)("%s as ONNX", (_, model) => {
  it("gives the reference's outputs in both runtimes, whatever the opset", async () => {
    await agree(model, ...[17, 20, 21].map((opset) => writeOnnx(model, { opset })));
  });

  it.each(strategies)("gives them with %s pruned", async (_name, strategy, amount) => {
    const pruned = prune(model, await strategy.plan({ model, amount }));
    await agree(pruned, writeOnnx(pruned));
  });
});
