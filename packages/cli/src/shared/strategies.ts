import { EspalierError, readTarget, type StrategySpec, type Target, unknownName } from "@espalier/core";
import type { Registry } from "@espalier/recipe";
import type { PruneOptions } from "../commands/prune.ts";
import { type Settings, settingsOf } from "../options/settings.ts";
import type { PruneJob } from "./prune-job.ts";

type Spec = { readonly use: string; readonly options: Record<string, unknown> };

/** The strategies of `--strategy` in order, each with the options that are meant for it, and those of the whole. */
export interface ChosenStrategies {
  readonly stages: readonly StrategySpec[];
  /** All stages as one strategy. */
  readonly whole: StrategySpec;
  /** Options of that one, where there are any. */
  readonly together?: Readonly<Record<string, unknown>>;
}

export function chosenStrategies(options: PruneJob, registry: Registry): ChosenStrategies {
  const named = options.strategy?.map((use): StrategySpec => ({ use })) ?? options.strategies ?? [];
  const specs = named.map(({ use, ...own }): Spec => ({ use, options: own }));
  if (specs.length === 0) {
    throw new EspalierError(
      `give --strategy: ${[...registry.strategies.keys()].join(", ")}, or one of a --plugin.`,
    );
  }
  // Makes the line for a name that is not known.
  for (const { use } of specs) if (!registry.strategies.has(use)) registry.strategy({ use });
  const { criterion, scope, keep, roundTo: multipleOf, seed } = options;
  const shorthands = { criterion, scope, keep, multipleOf };
  for (const [key, value] of Object.entries(shorthands)) {
    if (value !== undefined) give(specs, key, value, registry);
  }
  // The seed is training's as well: strategies without one are fine.
  for (const spec of specs)
    if (seed !== undefined && optionsOf(spec, registry)?.includes("seed")) spec.options.seed = seed;
  const settings = settingsOf(options.set);
  const together = { ...options.combined, ...setAll(specs, settings, registry) };
  const stages = specs.map(({ use, options }) => ({ use, ...options }));
  if (stages.length === 1) return { stages, whole: stages[0]! };
  const whole = { ...together, use: "combined", stages };
  return { stages, whole, ...(Object.keys(together).length === 0 ? {} : { together }) };
}

/** `key=value` for every strategy that has the key, `strategy.key=value` for one. Gives those of `combined` itself. */
function setAll(specs: readonly Spec[], settings: Settings, registry: Registry): Record<string, unknown> {
  const together: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(settings)) {
    const [use, own] = [key.slice(0, key.indexOf(".")), key.slice(key.indexOf(".") + 1)];
    if (!key.includes(".")) give(specs, key, value, registry);
    else if (use === "combined" && specs.length > 1) together[own] = value;
    else {
      const meant = specs.filter((spec) => spec.use === use);
      if (meant.length === 0)
        throw unknownName(
          `--set ${key}: strategy`,
          use,
          specs.map((spec) => spec.use),
        );
      give(meant, own, value, registry);
    }
  }
  return together;
}

/** Gives an option to every strategy that has it; an option that none has is a mistake. */
function give(specs: readonly Spec[], key: string, value: unknown, registry: Registry): void {
  const takers = specs.filter((spec) => optionsOf(spec, registry)?.includes(key) ?? true);
  if (takers.length === 0) {
    const known = new Set(specs.flatMap((spec) => optionsOf(spec, registry) ?? []));
    throw unknownName(`strategy ${specs.map(({ use }) => `"${use}"`).join(", ")}: option`, key, [...known]);
  }
  for (const { options } of takers) options[key] = value;
}

/** Names of a strategy's options, where it lists them. */
function optionsOf({ use }: Spec, registry: Registry): readonly string[] | undefined {
  const { options } = registry.strategies.get(use) ?? {};
  return options && Object.keys(options);
}

/** What the options ask for. Throws an EspalierError for nothing, and for what is out of bounds. */
export function chosenTarget({ sparsity, parameters, flops, bytes, latency }: PruneOptions): Target {
  const all = { sparsity, parameters, flops, bytes, latency };
  const given = Object.entries(all).filter(([, value]) => value !== undefined);
  if (given.length === 0) {
    throw new EspalierError(
      "give a target, --sparsity, --parameters, --flops, --bytes or --latency, or --plan: none is given.",
    );
  }
  const target = Object.fromEntries(given) as Target;
  readTarget(target);
  return target;
}
