import { denseCell, packageVersions } from "@espalier/bench";
import { type Registry, standardStrategies, type UseConfig } from "@espalier/recipe";
import { z } from "zod";
import { sha256 } from "./objects.ts";
import type { QueuedCell } from "./trial.ts";

const needsSchema = z.strictObject({
  /** Times are taken with the machine alone; other work shares it. */
  takes: z.enum(["work", "times"]),
  backends: z.array(z.string()),
  /** Strategies that plug-ins bring, with the checksum of the plug-in. */
  plugins: z.record(z.string(), z.string()),
  versions: z.record(z.string(), z.string()),
  /** The machine that may take times, and its processor; any if left out. */
  host: z.string().optional(),
  processor: z.string().optional(),
});

/** Requirements of a cell for its worker. Cells with equal requirements share a queue. */
export type Needs = z.output<typeof needsSchema>;

export function readNeeds(value: unknown): Needs {
  return needsSchema.parse(value);
}

/** Requirements that a coordinator sets for all of its cells. */
export interface Setting {
  readonly registry: Registry;
  /** Checksums of plug-ins, by the strategy that they bring. */
  readonly plugins?: Readonly<Record<string, string>> | undefined;
  readonly timingHost?: string | undefined;
  readonly timingProcessor?: string | undefined;
}

/** Requirements of a cell for its worker. */
export function needsOf(cell: QueuedCell, setting: Setting): Needs {
  const backends = backendsOf(cell);
  const takes = measures(cell) ? "times" : "work";
  const { espalier, ...others } = packageVersions();
  const usesTfjs = backends.some((name) => name.startsWith("tfjs") || name === "tensorflow");
  return {
    takes,
    backends,
    plugins: pluginsOf(cell, setting),
    versions: { espalier: espalier!, ...(usesTfjs && others) },
    ...(takes === "times" && setting.timingHost !== undefined && { host: setting.timingHost }),
    ...(takes === "times" && setting.timingProcessor !== undefined && { processor: setting.timingProcessor }),
  };
}

/** Name of the queue for cells with equal needs. */
export function laneName(needs: Needs): string {
  return `espalier-${needs.takes}-${sha256(JSON.stringify(needs)).slice(0, 16)}`;
}

/** Whether a cell takes times. */
function measures(cell: QueuedCell): boolean {
  return cell.kind === "latency" || (cell.kind === "prune" && cell.measure !== undefined);
}

function backendsOf(cell: QueuedCell): string[] {
  if (cell.kind === "trial") return [cell.recipe.backend];
  const timed = cell.kind === "latency" ? cell.backend : undefined;
  const measured = cell.kind === "prune" ? cell.measure?.backend : undefined;
  const all = [denseCell(cell).backend, timed, measured].filter((name) => name !== undefined);
  return [...new Set(all)].sort();
}

const standard = new Set(standardStrategies.map(({ name }) => name));

function pluginsOf(cell: QueuedCell, { plugins = {} }: Setting): Record<string, string> {
  const used = [...usedIn(cell)].filter((name) => name in plugins && !standard.has(name)).sort();
  return Object.fromEntries(used.map((name) => [name, plugins[name]!]));
}

/** Everything that a cell names by `use`. */
function usedIn(value: unknown, into = new Set<string>()): Set<string> {
  if (typeof value !== "object" || value === null) return into;
  const { use } = value as Partial<UseConfig>;
  if (typeof use === "string") into.add(use);
  for (const item of Object.values(value)) usedIn(item, into);
  return into;
}

/** Properties of a worker. */
export interface Offer {
  readonly registry: Registry;
  readonly plugins: Readonly<Record<string, string>>;
  /** The only backends it uses; all that are available by default. */
  readonly backends?: readonly string[] | undefined;
  readonly only?: Needs["takes"] | undefined;
  readonly host: string;
  readonly processor: string;
}

/** The reason why a worker cannot take cells with these requirements, and what to do; undefined if it can. */
export async function refusal(needs: Needs, offer: Offer): Promise<string | undefined> {
  const own = packageVersions();
  for (const [name, version] of Object.entries(needs.versions)) {
    if (own[name] !== version)
      return `they need ${name} ${version}, and this worker has ${own[name] ?? "none"}: npm install ${name}@${version}`;
  }
  for (const [name, checksum] of Object.entries(needs.plugins)) {
    if (!(name in offer.plugins))
      return `they need the strategy "${name}" of a plug-in: start the worker with its --plugin`;
    if (offer.plugins[name] !== checksum)
      return `the plug-in with strategy "${name}" is not the one of the sweep (its checksum differs): use the same files`;
  }
  if (offer.only !== undefined && offer.only !== needs.takes)
    return `they are left out by --only ${offer.only === "work" ? "train,prune" : "latency"}`;
  if (needs.host !== undefined && needs.host !== offer.host)
    return `times are taken on ${needs.host} alone (--timing-host), this is ${offer.host}`;
  if (needs.processor !== undefined && !offer.processor.includes(needs.processor))
    return `times are taken on ${needs.processor} alone (--processor), this is ${offer.processor}`;
  for (const name of needs.backends) {
    if (offer.backends !== undefined && !offer.backends.includes(name))
      return `they need the backend ${name}, which --backends leaves out`;
    const backend = offer.registry.backends.get(name) ?? offer.registry.backend(name);
    const { available, detail } = await backend.availability();
    if (!available) return `they need the backend ${name}: ${detail}`;
  }
  return undefined;
}
