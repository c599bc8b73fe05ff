import { type Shorthand, targetShares } from "@espalier/recipe";
import type { PruneOptions } from "../commands/prune.ts";

/** Names of `espalier prune`'s options in the parser. */
export type PruneOption = keyof PruneOptions;
/** The options that the user gave. */
export type GivenOptions = Partial<PruneOptions>;

/** Options that set a target. */
export const metrics = Object.keys(targetShares) as (keyof typeof targetShares)[];

const options: Readonly<Record<string, PruneOption>> = {
  strategies: "strategy",
  combined: "set",
  "target.latency": "latency",
  "latency.backend": "latencyBackend",
  "latency.batch": "batch",
  "latency.time": "latencyTime",
  acceptNearest: "acceptNearest",
  reconstruction: "reconstruct",
  "schedule.steps": "steps",
  "schedule.curve": "curve",
  "schedule.tune": "tune",
  "schedule.gradual": "gradual",
  fineTuning: "fineTune",
  plan: "plan",
  backend: "backend",
};

/** An option the way the user writes it. */
export function optionText(option: PruneOption): string {
  return `--${option.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** The option for a key of a recipe, if there is one. */
export function optionFor(path: string, given: GivenOptions): PruneOption | undefined {
  return path === "target" ? metrics.find((metric) => given[metric] !== undefined) : options[path];
}

/** The command line's name for a key of the shorthand: its option, or the key itself if only the recipe's file gives it. */
export function nameOf(path: string, given: GivenOptions, inFile: Shorthand | undefined): string {
  const option = optionFor(path, given);
  const value = path.split(".").reduce<unknown>((at, key) => (at as Record<string, unknown>)?.[key], inFile);
  if (option !== undefined && (given[option] !== undefined || value === undefined)) return optionText(option);
  return `the recipe's ${path}`;
}

/** The key of the shorthand that corresponds to a path in the steps. */
export function shorthandKey(path: readonly PropertyKey[]): string {
  if (path[0] !== "steps") return path.map(String).join(".");
  const keys: Readonly<Record<string, string>> = { strategy: "strategies", target: "target", plan: "plan" };
  return keys[String(path.at(-1))] ?? "fineTuning";
}
