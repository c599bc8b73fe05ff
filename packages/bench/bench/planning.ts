/**
 * How long planning and pruning a model of about five million parameters takes, for each strategy:
 * `pnpm --filter @espalier/bench bench:planning`.
 */
import { account, type Model, prune, type Strategy } from "@espalier/core";
import { drawEncoder, modelOf } from "@espalier/core/testing";
import { channel } from "@espalier/strategy-channel";
import { combined } from "@espalier/strategy-combined";
import { depth } from "@espalier/strategy-depth";
import { head } from "@espalier/strategy-head";
import { unstructured } from "@espalier/strategy-unstructured";

const drawing = drawEncoder({
  tokens: 12,
  input: 16,
  width: 384,
  feedForward: 1536,
  heads: 8,
  layers: 3,
  output: 96,
});
const strategies: readonly (() => Strategy)[] = [
  () => unstructured(),
  () => channel(),
  () => head(),
  () => depth(),
  () => combined([head(), channel(), unstructured()]),
];

/** Planning alone, pruning alone, in milliseconds; a fresh model each time, so that nothing is remembered. */
async function measure(make: () => Strategy, fresh: () => Model): Promise<{ plan: number; prune: number }> {
  const model = fresh();
  const strategy = make();
  const start = performance.now();
  const plan = await strategy.plan({ model, amount: 0.5 });
  const planned = performance.now();
  prune(model, plan);
  return { plan: planned - start, prune: performance.now() - planned };
}

const base = modelOf(drawing);
console.log(
  `${(account(base).parameters.total / 1e6).toFixed(2)} million parameters; milliseconds, median of 5`,
);
for (const make of strategies) {
  const runs: { plan: number; prune: number }[] = [];
  for (let i = 0; i < 5; i++) {
    const copies = new Map([...base.tensors].map(([name, tensor]) => [name, { ...tensor }]));
    runs.push(await measure(make, () => ({ ...base, tensors: copies })));
  }
  const median = (of: (run: (typeof runs)[number]) => number) =>
    runs
      .map(of)
      .sort((a, b) => a - b)[2]!
      .toFixed(0);
  const together = median((r) => r.plan + r.prune);
  console.log(
    `${make().name}: plan ${median((r) => r.plan)}, prune ${median((r) => r.prune)}, together ${together}`,
  );
}
