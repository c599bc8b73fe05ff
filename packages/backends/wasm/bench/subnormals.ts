/**
 * Whether tiny numbers slow kernels down: adversarial inputs beside ordinary ones, alternating in one process, and how many
 * operations meet a subnormal number, which tells what a processor would lose that is slower at them than this one.
 * `node --conditions=@espalier/source bench/subnormals.ts [relaxed|plain] [width]`
 */
import type { Simd } from "../src/index.ts";
import { type Scenario, scenarios } from "./adversarial.ts";
import { auditedKernels, countSubnormals, prepare } from "./audited.ts";
import { median } from "./models.ts";

const [, , level = "relaxed", width = "128"] = process.argv;
const simd = level as Simd;
/** Cycles that an Intel core spends on an operation that meets a subnormal number, beside the half one it takes. */
const cycles = 150;

const kernels = await auditedKernels(simd);
const size = { width: Number(width), batch: 8, steps: 40, adamSteps: 3000 };
const largest = { ratio: 0, share: 0 };
for (const scenario of scenarios(size)) {
  const { operations, subnormal } = await countSubnormals(scenario, simd, kernels);
  const ratio = await slowdown(scenario);
  const share = subnormal / operations;
  largest.ratio = Math.max(largest.ratio, ratio);
  largest.share = Math.max(largest.share, share);
  const lost = 2 * cycles * share;
  console.log(
    `${scenario.name.padEnd(52)} ${ratio.toFixed(2)} × ordinary; ${subnormal} of ${operations} operations on subnormals, ≤ ${(100 * lost).toFixed(1)} % at ${cycles} cycles each`,
  );
}
console.log(`${simd} SIMD: at most ${largest.ratio.toFixed(2)} ×, share ${largest.share.toExponential(1)}`);

/** The largest ratio, over stretches of the run: a stretch's time is the median of its steps. */
async function slowdown({ ordinary, adversarial, steps }: Scenario): Promise<number> {
  const contenders = [
    await prepare({ memory: 0, ...ordinary }, simd),
    await prepare({ memory: 0, ...adversarial }, simd),
  ] as const;
  const repeats = Math.max(1, Math.ceil(24 / steps));
  const times: [number[], number[]] = [[], []];
  for (let i = 0; i < steps * repeats + 2; i++) {
    for (const [which, { run }] of contenders.entries()) {
      const start = performance.now();
      await run();
      if (i >= 2) times[which]!.push(performance.now() - start);
    }
  }
  for (const { dispose } of contenders) dispose();
  const stretch = Math.max(12, Math.ceil(times[0].length / 10));
  let worst = 0;
  for (let from = 0; from + stretch <= times[0].length; from += stretch) {
    const [usual, tried] = times.map((list) => median(list.slice(from, from + stretch))) as [number, number];
    worst = Math.max(worst, tried / usual);
  }
  return worst;
}
