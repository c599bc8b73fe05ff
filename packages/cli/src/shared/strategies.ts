import { EspalierError, type StrategySpec } from "@espalier/core";
import { unknownName } from "@espalier/core/documents";
import { pluginOptions } from "@espalier/core/pruning";
import { type Registry, type Shorthand, wholeStrategy } from "@espalier/recipe";
import type { PruneOptions } from "../commands/prune.ts";
import { type Settings, settingsOf } from "../options/settings.ts";

type Spec = { readonly use: string; readonly options: Record<string, unknown> };

type Chosen = Pick<Shorthand, "strategies" | "combined">;

/**
 * The strategies of `--strategy` in order, or those of a recipe, each with its options. Throws an EspalierError for
 * unknown names and options.
 */
export function chosenStrategies(
  options: Partial<PruneOptions>,
  inRecipe: Partial<Chosen>,
  registry: Registry,
): Chosen {
  const named = options.strategy?.map((use): StrategySpec => ({ use })) ?? inRecipe.strategies ?? [];
  const specs = named.map(({ use, ...own }): Spec => ({ use, options: own }));
  if (specs.length === 0) {
    throw new EspalierError(
      `give --strategy: ${[...registry.strategies.keys()].join(", ")}, or one from a --plugin.`,
    );
  }
  // Throws the error for an unknown name.
  for (const { use } of specs) if (!registry.strategies.has(use)) registry.strategy({ use });
  const { criterion, scope, keep, roundTo: multipleOf } = options;
  for (const [key, value] of Object.entries({ criterion, scope, keep, multipleOf })) {
    if (value !== undefined) give(specs, key, value, registry);
  }
  const ofCombined = setAll(specs, settingsOf(options.set), registry);
  const combined = { ...(options.strategy === undefined && inRecipe.combined), ...ofCombined };
  const chosen: Chosen = {
    strategies: specs.map(({ use, options }) => ({ use, ...options })) as Chosen["strategies"],
    ...(Object.keys(combined).length > 0 && { combined }),
  };
  // Throws the error for an unknown value.
  registry.strategy(wholeStrategy(chosen));
  return chosen;
}

/**
 * Applies `key=value` to every strategy that has the key, `strategy.key=value` to one. Returns the options of
 * `combined` itself.
 */
function setAll(specs: readonly Spec[], settings: Settings, registry: Registry): Record<string, unknown> {
  const ofCombined: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(settings)) {
    const [use, own] = [key.slice(0, key.indexOf(".")), key.slice(key.indexOf(".") + 1)];
    if (!key.includes(".")) give(specs, key, value, registry);
    else if (use === "combined" && specs.length > 1) ofCombined[own] = value;
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
  return ofCombined;
}

/** Sets an option on every strategy that has it; an option that none has is an error. */
function give(specs: readonly Spec[], key: string, value: unknown, registry: Registry): void {
  const takers = specs.filter((spec) => optionsOf(spec, registry)?.includes(key) ?? true);
  if (takers.length === 0) {
    const known = new Set(specs.flatMap((spec) => optionsOf(spec, registry) ?? []));
    throw unknownName(`strategy ${specs.map(({ use }) => `"${use}"`).join(", ")}: option`, key, [...known]);
  }
  for (const { options } of takers) options[key] = value;
}

/** Names of a strategy's options, if it lists them. */
function optionsOf({ use }: Spec, registry: Registry): readonly string[] | undefined {
  const plugin = registry.strategies.get(use);
  const options = plugin && pluginOptions(plugin);
  return options && Object.keys(options);
}
