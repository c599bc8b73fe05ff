/**
 * Cost of a training step relative to a forward pass on tfjs-wasm: a 2-layer encoder of width 128 over 2688 tokens
 * (32 × 7 series of 12 patches). `pnpm --filter @espalier/backend-tfjs bench`. Medians of alternating runs.
 */

import { float32, randomInputs, type TensorData, zeros } from "@espalier/core";
import { adamOperator, add, differentiate, drawTrainingForward, mul, reduceMean } from "@espalier/core/graph";
import { drawEncoder, modelOf } from "@espalier/core/testing";
import { tfjs } from "../src/index.ts";

const model = modelOf(
  drawEncoder({
    tokens: 12,
    input: 16,
    width: 128,
    feedForward: 256,
    heads: 8,
    layers: 2,
    output: 96,
    dropout: 0.1,
  }),
);
const backend = tfjs({ kind: "wasm" });
const tensors = new Map<string, TensorData>(model.tensors);
const {
  builder: b,
  outputs,
  parameters,
} = drawTrainingForward(model.graph, (drawn) => {
  tensors.set("step", float32([], [0]));
  return { seed: drawn.constant(1), step: drawn.tensor("step", "buffer", tensors.get("step")!) };
});
const y = outputs.get("y")!;
const loss = reduceMean(b, mul(b, y, y), [0, 1, 2]);
const names = [...parameters.keys()];
const gradients = differentiate(b, loss, [...parameters.values()]);
const next = add(b, b.tensorNamed("step")!, b.constant(1));
names.forEach((name, i) => {
  const parameter = parameters.get(name)!;
  const moments = ["m", "v"].map((moment) => {
    tensors.set(`${moment}:${name}`, zeros(parameter.shape as readonly number[]));
    return b.tensor(`${moment}:${name}`, "buffer", { dtype: "float32", shape: parameter.shape });
  });
  const settings = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };
  const updated = b.applyAll(
    adamOperator,
    [parameter, gradients[i]!, ...moments, next, b.constant(1e-3)],
    settings,
  );
  b.update(name, updated[0]!);
  b.update(`m:${name}`, updated[1]!);
  b.update(`v:${name}`, updated[2]!);
});
b.update("step", next);
b.output("loss", loss);
const { graph, data } = b.build();
const state = await backend.createState(new Map([...tensors, ...data]));
const training = await backend.compile(graph, { state });
const evaluation = await backend.compile(model.graph, { state });
const inputs = randomInputs(model, 224);

const times = { forward: [] as number[], step: [] as number[] };
for (let i = 0; i < 25; i++) {
  for (const [name, program] of [
    ["forward", evaluation],
    ["step", training],
  ] as const) {
    const start = performance.now();
    await program.run(inputs, name === "step" ? { read: ["loss"] } : {});
    if (i >= 5) times[name].push(performance.now() - start);
  }
}
const median = (list: number[]) => list.sort((a, c) => a - c)[list.length >> 1]!;
const [forward, step] = [median(times.forward), median(times.step)];
console.log(
  `forward ${forward.toFixed(1)} ms, training step ${step.toFixed(1)} ms: ${(step / forward).toFixed(2)} ×`,
);
