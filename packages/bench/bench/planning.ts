/**
 * Measures how long planning and pruning a model of about five million parameters takes, for each strategy by
 * magnitude, and for each criterion that uses data, calibrated on `wasm`: `pnpm --filter @espalier/bench
 * bench:planning`.
 */
import { wasm } from "@espalier/backend-wasm";
import { account, type Collect, type Model, meet, prune, type Strategy } from "@espalier/core";
import { forecastingData } from "@espalier/datasets/node";
import { iTransformer } from "@espalier/models";
import { channel } from "@espalier/strategy-channel";
import { combined } from "@espalier/strategy-combined";
import { depth } from "@espalier/strategy-depth";
import { head } from "@espalier/strategy-head";
import { unstructured } from "@espalier/strategy-unstructured";
import { collector, withData } from "@espalier/training";

const [inputLength, horizon] = [96, 96];
const data = await forecastingData({ dataset: "synthetic", inputLength, horizon });
const base = withData(
  iTransformer({
    inputLength,
    horizon,
    series: data.series.length,
    width: 384,
    feedForward: 1536,
    heads: 8,
    layers: 3,
  }).initialize(1),
  data,
);

const byMagnitude: readonly (() => Strategy)[] = [
  () => unstructured(),
  () => unstructured({ scope: "erk" }),
  () => unstructured({ structure: "2:4" }),
  () => channel(),
  () => head(),
  () => depth({ criterion: "l2" }),
  () => combined([head(), channel(), unstructured()]),
];
const byData = ["taylor", "fisher", "wanda", "spat", "movement"].flatMap((criterion) => [
  { criterion, make: () => unstructured({ criterion }) },
  { criterion, make: () => channel({ criterion }) },
]);

/** A copy of the model, so that nothing is cached. */
function fresh(): Model {
  return { ...base, tensors: new Map([...base.tensors].map(([name, tensor]) => [name, { ...tensor }])) };
}

/** Planning alone, pruning alone, in milliseconds. */
async function measure(make: () => Strategy): Promise<{ plan: number; prune: number }> {
  const model = fresh();
  const strategy = make();
  const start = performance.now();
  const plan = await strategy.plan({ model, amount: 0.5 });
  const planned = performance.now();
  prune(model, plan);
  return { plan: planned - start, prune: performance.now() - planned };
}

const parameters = `${(account(base).parameters.total / 1e6).toFixed(2)} million parameters`;
console.log(`${parameters}; milliseconds, median of 5`);
for (const make of byMagnitude) {
  const runs: { plan: number; prune: number }[] = [];
  for (let i = 0; i < 5; i++) runs.push(await measure(make));
  const median = (of: (run: (typeof runs)[number]) => number) =>
    runs
      .map(of)
      .sort((a, b) => a - b)[2]!
      .toFixed(0);
  const total = median((r) => r.plan + r.prune);
  console.log(
    `${make().name}: plan ${median((r) => r.plan)}, prune ${median((r) => r.prune)}, total ${total}`,
  );
}

console.log(`\n${parameters}; sparsity 80 % met, calibrated on wasm; seconds in all, of them calibration`);
const backend = wasm();
for (const { criterion, make } of byData) {
  let calibrating = 0;
  const collect: Collect = async (collection) => {
    const start = performance.now();
    const sums = await collector({ backend, windows: data.train })(collection);
    calibrating += performance.now() - start;
    return sums;
  };
  const model = fresh();
  const strategy = make();
  const start = performance.now();
  prune(model, await meet({ sparsity: 0.8 }, strategy, { model, collect }));
  const seconds = (ms: number) => (ms / 1000).toFixed(1);
  console.log(
    `${strategy.name}, ${criterion}: ${seconds(performance.now() - start)}, ${seconds(calibrating)}`,
  );
}
