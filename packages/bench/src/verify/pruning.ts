import { join } from "node:path";
import { EspalierError, isKept, type Model, type PruningPlan } from "@espalier/core";
import { weightStatistics } from "@espalier/core/pruning";
import { readBytes } from "@espalier/formats/node";
import { unstructured } from "@espalier/strategy-unstructured";
import { z } from "zod";
import type { Check } from "./check.ts";

const count = z.int().nonnegative();
const schema = z.object({
  /** By weight tensor; `nonzero` is null for tensors that are ranked but never cut. */
  wsap: z.record(
    z.string(),
    z.object({ coefficientOfVariation: z.number(), ratio: z.number(), nonzero: count.nullable() }),
  ),
  /** By removed share. */
  globalMagnitude: z.record(
    z.string(),
    z.object({ threshold: z.number(), pruned: count, nonzero: z.record(z.string(), count) }),
  ),
});

/** Largest relative error of coefficients of variation: where the mean is near 0, float32 sums differ in the fourth digit. */
const variationTolerance = 1e-3;

/** Smaller coefficients of variation come from equal weights, and rounding. */
const leastVariation = 1e-3;

/**
 * Compares the result of unstructured pruning with that of the original codes on the same weights, from `pruning.json`:
 * SEDIMARK's ratios and counts, and threshold and counts of global magnitude.
 */
export async function verifyPruning(folder: string, model: Model): Promise<readonly Check[]> {
  const expected = await read(join(folder, "pruning.json"));
  const wsap = await unstructured({ criterion: "wsap" }).plan({ model, amount: 0.5 });
  const statistics = weightStatistics(model);
  const ranked = Object.entries(expected.wsap);
  const cut = ranked.filter(([, { nonzero }]) => nonzero !== null);
  const variations = ranked.map(([name, { coefficientOfVariation: published }]) => {
    const own = statistics.get(name)?.coefficientOfVariation ?? Number.NaN;
    return Math.abs(own - published) / Math.max(published, leastVariation);
  });
  const variation = Math.max(0, ...variations);
  const checks: Check[] = [
    {
      what: "WSAP coefficients of variation",
      error: variation,
      tolerance: variationTolerance,
      passed: variation <= variationTolerance,
    },
    differences(
      "WSAP ratios",
      ranked.map(([name, { ratio }]) => [name, statistics.get(name)?.ratio, ratio]),
    ),
    differences(
      "WSAP counts",
      cut.map(([name, { nonzero }]) => [
        name,
        nonzeroAfter(model, wsap, name, largestRemoved(model, wsap, [name])),
        nonzero!,
      ]),
    ),
  ];
  for (const [share, { threshold, pruned, nonzero }] of Object.entries(expected.globalMagnitude)) {
    const plan = await unstructured({ leastDensity: 0 }).plan({ model, amount: Number(share) });
    const names = Object.keys(nonzero);
    const largest = largestRemoved(model, plan);
    const left = names.reduce((n, name) => n + nonzeroAfter(model, plan, name), 0);
    const all = names.reduce((n, name) => n + model.tensors.get(name)!.data.length, 0);
    const what = `global magnitude at ${100 * Number(share)} %`;
    checks.push(
      differences(`${what}: threshold and number removed`, [
        ["threshold", Math.fround(largest), Math.fround(threshold)],
        ["removed", all - left, pruned],
      ]),
      differences(
        `${what}: counts`,
        names.map((name) => [name, nonzeroAfter(model, plan, name, largest), nonzero[name]!]),
      ),
    );
  }
  return checks;
}

async function read(path: string): Promise<z.output<typeof schema>> {
  try {
    return schema.parse(JSON.parse(new TextDecoder().decode(await readBytes(path, "reference"))));
  } catch (error) {
    if (error instanceof EspalierError) throw error;
    throw new EspalierError(`reference ${path}: does not hold WSAP ratios and global magnitudes.`);
  }
}

function maskOf(plan: PruningPlan, parameter: string) {
  for (const step of plan.steps) if (step.do === "mask" && step.parameter === parameter) return step.keep;
  return undefined;
}

/**
 * Weights that a plan keeps. The original codes remove every weight that is not larger than a threshold; here no more
 * are removed than requested, the first of equal ones: those equal to `threshold` are not counted.
 */
function nonzeroAfter(model: Model, plan: PruningPlan, name: string, threshold?: number): number {
  const weights = model.tensors.get(name)?.data;
  if (weights === undefined) return Number.NaN;
  const mask = maskOf(plan, name);
  let count = 0;
  weights.forEach((w, i) => {
    if ((mask === undefined || isKept(mask, i)) && Math.abs(w) !== threshold) count++;
  });
  return count;
}

/** Largest magnitude of a weight that a plan masks, in all tensors or the named ones. */
function largestRemoved(
  model: Model,
  plan: PruningPlan,
  names: Iterable<string> = model.tensors.keys(),
): number {
  let largest = 0;
  for (const name of names) {
    const mask = maskOf(plan, name);
    if (mask === undefined) continue;
    model.tensors.get(name)!.data.forEach((w, i) => {
      if (!isKept(mask, i)) largest = Math.max(largest, Math.abs(w));
    });
  }
  return largest;
}

/** Number of wrong values; the first of them as detail. */
function differences(
  what: string,
  numbers: readonly (readonly [name: string, got: number | undefined, expected: number])[],
): Check {
  const wrong = numbers.filter(([, got, expected]) => got !== expected);
  const [first] = wrong;
  return {
    what: `${what} (${numbers.length})`,
    error: wrong.length,
    tolerance: 0,
    passed: wrong.length === 0,
    ...(first === undefined ? {} : { detail: `${first[0]}: ${first[1]}, expected ${first[2]}` }),
  };
}
