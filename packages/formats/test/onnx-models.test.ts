import { type Model, prune, reference, type Strategy } from "@espalier/core";
import { largestError, randomInputs, runModel } from "@espalier/core/testing";
import { crossformer, iTransformer, patchTST, sedimarkCrossformer } from "@espalier/models";
import { channel } from "@espalier/strategy-channel";
import { combined } from "@espalier/strategy-combined";
import { head } from "@espalier/strategy-head";
import { unstructured } from "@espalier/strategy-unstructured";
import { describe, expect, it } from "vitest";
import { writeOnnx } from "../src/index.ts";
import { libraryModels } from "./library-models.ts";
import { runtimeNames, withOnnx } from "./onnx-runtime.ts";

const lengths = { inputLength: 24, horizon: 12, series: 3 };
const widths = { width: 16, feedForward: 24, heads: 4 };
const models: readonly Model[] = [
  patchTST({ ...lengths, ...widths, layers: 2, patchLength: 8, stride: 4 }),
  iTransformer({ ...lengths, ...widths, layers: 2 }),
  crossformer({ ...lengths, ...widths, layers: 2, segmentLength: 6 }),
  sedimarkCrossformer({ ...lengths, ...widths, blocks: 2, variant: "asPublished" }),
  sedimarkCrossformer({ ...lengths, ...widths, blocks: 2, variant: "connected" }),
].map((architecture) => architecture.initialize(1));

/** What is pruned, and how much of it; whole attention branches of encoders too. */
const strategies: readonly (readonly [string, Strategy, number])[] = [
  ["half of the heads", head(), 0.5],
  ["attention branches", head({ keepAtLeast: 0, scope: "local", keep: ["decoder.*"] }), 0.99],
  ["channels", channel(), 0.4],
  ["weights", unstructured(), 0.8],
  ["heads, channels and weights", combined([head(), channel(), unstructured()]), 0.8],
];

const label = ({ name, options }: Model) =>
  `${name} ${(options as { variant?: string }).variant ?? ""}`.trim();

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

describe.each(models.map((model) => [label(model), model] as const))("%s as ONNX", (_, model) => {
  it("gives the reference's outputs in both runtimes, whatever the opset", async () => {
    await agree(model, ...[17, 20, 21].map((opset) => writeOnnx(model, { opset })));
  });

  it.each(strategies)("gives them with %s pruned", async (_name, strategy, amount) => {
    const pruned = prune(model, await strategy.plan({ model, amount }));
    await agree(pruned, writeOnnx(pruned));
  });
});

describe.each(libraryModels)("%s as ONNX", (_, model, strategy) => {
  it("gives the reference's outputs in both runtimes, in the oldest opset and the newest", async () => {
    await agree(model, ...[17, 21].map((opset) => writeOnnx(model, { opset })));
  });

  it("gives them pruned", async () => {
    const pruned = prune(model, await strategy.plan({ model, amount: 0.5 }));
    await agree(pruned, writeOnnx(pruned));
  });
});
