import { pluginOptions } from "@espalier/core/pruning";
import { createRegistry } from "@espalier/recipe/standard";
import { wrap } from "@espalier/report/text";
import type { Context } from "../context.ts";

/** Help text: the known strategies and the options of each. */
export function strategiesHelp({ colors }: Context): string {
  const lines = [...createRegistry().strategies.values()].flatMap((plugin) => [
    `  ${colors.cyan(plugin.name)}`,
    ...wrap(plugin.description.split(" "), width - indent).map((line) => `${" ".repeat(indent)}${line}`),
    ...Object.entries(pluginOptions(plugin) ?? {}).flatMap(([key, what]) => entry(key, what)),
  ]);
  return [colors.bold("Strategies, and their options for --set:"), ...lines].join("\n");
}

const [indent, keyWidth, width] = [4, 14, 80];

function entry(key: string, what: string): string[] {
  const lines = wrap(what.split(" "), width - indent - keyWidth);
  return lines.map((line, i) => `${" ".repeat(indent)}${(i === 0 ? key : "").padEnd(keyWidth)}${line}`);
}
