import type { StrategySpec } from "@espalier/core";
import type { PruneStep, Recipe, Step, StepTarget, TuneStep } from "./recipe.ts";
import type { Shorthand } from "./shorthand.ts";

/** The recipe that a shorthand stands for. The shorthand must be free of contradictions. */
export function expand(shorthand: Shorthand): Recipe {
  const { $schema, label, model, data, target, latency, backend, seed, training } = shorthand;
  const trained: Step[] = training === undefined ? [] : [{ do: "train", fit: training }];
  const recipe = { $schema, label, model, data, target, latency, backend, seed };
  return {
    ...(Object.fromEntries(Object.entries(recipe).filter(([, value]) => value !== undefined)) as object),
    format: 2,
    steps: [...trained, ...prunedSteps(shorthand)] as Recipe["steps"],
  };
}

function prunedSteps(shorthand: Shorthand): Step[] {
  const { strategies, acceptNearest, reconstruction, schedule = {}, fineTuning } = shorthand;
  const { steps, curve, tune, gradual } = schedule;
  const prune = (strategy: StrategySpec, target?: StepTarget): PruneStep => ({
    do: "prune",
    strategy,
    ...(target && { target }),
    // Intermediate targets were not requested, so they only have to be approached.
    ...((acceptNearest || target !== undefined) && { acceptNearest: true }),
    ...(reconstruction && { reconstruct: reconstruction }),
  });
  const whole = wholeStrategy(shorthand);
  if (fineTuning === undefined) return [prune(whole)];

  const { distill, ...fit } = fineTuning;
  const tuning: TuneStep = { do: "tune", fit, ...(distill !== undefined && { distill }) };
  // Strategies in sequence share the way to the target equally.
  const share = (i: number, of: number): StepTarget | undefined =>
    i === of - 1 ? undefined : { progress: (i + 1) / of, ...(curve && steps !== undefined && { curve }) };
  if (gradual !== undefined) {
    const removed = strategies.slice(0, -1).map((s, i) => prune(s, share(i, strategies.length)));
    const masks = { strategy: strategies.at(-1)!, ...(acceptNearest && { acceptNearest }), ...gradual };
    return [...removed, { ...tuning, masks: { ...masks, ...(curve && { curve }) } }];
  }
  if (steps !== undefined)
    return Array.from({ length: steps }, (_, i) => [prune(whole, share(i, steps)), tuning]).flat();
  if (tune === "each") return strategies.flatMap((s, i) => [prune(s, share(i, strategies.length)), tuning]);
  return [prune(whole), tuning];
}

/** All strategies of a shorthand as one. */
export function wholeStrategy({
  strategies,
  combined,
}: Pick<Shorthand, "strategies" | "combined">): StrategySpec {
  return strategies.length === 1 ? strategies[0]! : { ...combined, use: "combined", stages: strategies };
}
