import { type Strategy, type StrategyPlugin, type StrategySpec, unknownName } from "@espalier/core";
import { plugin as channel } from "@espalier/strategy-channel";
import { plugin as combined } from "@espalier/strategy-combined";
import { plugin as depth } from "@espalier/strategy-depth";
import { plugin as head } from "@espalier/strategy-head";
import { plugin as unstructured } from "@espalier/strategy-unstructured";

const plugins: ReadonlyMap<string, StrategyPlugin> = new Map(
  [channel, combined, depth, head, unstructured].map((plugin) => [plugin.name, plugin]),
);

/** The strategy that a spec names. */
export function strategyOf(spec: StrategySpec): Strategy {
  const { use, ...options } = spec;
  const plugin = plugins.get(use);
  if (plugin === undefined) throw unknownName("strategy", use, [...plugins.keys()]);
  return plugin.create(options, strategyOf);
}
