/**
 * Cost of planning at the size of foundation models: seconds, and peak memory of the process, for an iTransformer of
 * 12.6 million parameters a layer. `node --conditions=@espalier/source bench/planning-large.ts [layers, 8 by default]`.
 */
import { account, digest, meet, prune, type Strategy, type Target } from "@espalier/core";
import { iTransformer } from "@espalier/models";
import { channel } from "@espalier/strategy-channel";
import { unstructured } from "@espalier/strategy-unstructured";

const layers = Number(process.argv[2] ?? 8);
const size = { inputLength: 96, horizon: 96, series: 7, width: 1024, feedForward: 4096, heads: 16, layers };
const model = iTransformer(size).initialize(1);
const { parameters, bytes } = account(model);
console.log(
  `${(parameters.total / 1e6).toFixed(0)} million parameters, ${gigabytes(bytes.dense)} of weights`,
);

await clock("digest", () => digest(model));
const plans = [
  await measure("unstructured, global", () => unstructured(), 0.9, { sparsity: 0.9 }),
  await measure("channel", () => channel(), 0.5, { flops: 0.5 }),
];
console.log(`memory: ${gigabytes(1024 * process.resourceUsage().maxRSS)} at most`);
for (const plan of plans) await clock(`${plan.strategy}: prune`, () => prune(model, plan));

async function measure(name: string, make: () => Strategy, amount: number, target: Target) {
  const plan = await clock(`${name}: plan, with its counts`, async () => {
    const made = await make().plan({ model, amount });
    return { ...made, expected: made.expected };
  });
  let tries = 0;
  await clock(`${name}: meet`, () => meet(target, make(), { model, onTry: () => tries++ }));
  console.log(`  (${tries} plans)`);
  return plan;
}

async function clock<T>(what: string, run: () => T | Promise<T>): Promise<T> {
  const before = process.cpuUsage();
  const start = performance.now();
  const result = await run();
  const { user, system } = process.cpuUsage(before);
  const seconds = ((performance.now() - start) / 1000).toFixed(2);
  const processor = ((user + system) / 1e6).toFixed(2);
  console.log(`${what.padEnd(44)} ${seconds.padStart(6)} s, ${processor} of the processor`);
  return result;
}

function gigabytes(n: number): string {
  return `${(n / 1e9).toFixed(2)} GB`;
}
