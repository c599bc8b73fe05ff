import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ratioOf } from "@espalier/bench/measure";
import { toMarkdown } from "@espalier/report";
import { familyNames } from "../../../studies/peers/chart.ts";
import { peersDocument } from "../../../studies/peers/document.ts";
import {
  agrees,
  entryOf,
  type PeerEntry,
  type PeerResults,
  type PeerRun,
  parsePeerResults,
} from "../../../studies/peers/results.ts";
import { type Family, variants } from "../../../studies/peers/variants.ts";
import type { ResultsPage } from "./results-page.ts";

/** One contender in the chart. */
export interface PeerPoint {
  /** Whose line it is on: a runtime, of our own by what was pruned. */
  readonly line: string;
  readonly variant: string;
  readonly sparsity: number;
  readonly milliseconds: number;
  readonly spread: number;
  /** Times as fast as the dense model on each runtime, by its name. */
  readonly ratios: Readonly<Record<string, { readonly median: number; readonly spread: number }>>;
}

/** Forecasts of one model at one batch size. */
export interface PeerChart {
  readonly model: string;
  readonly batch: number;
  readonly points: readonly PeerPoint[];
}

/** Data for the page that compares runtimes. */
export interface PeersData {
  readonly lines: readonly string[];
  readonly runtimes: readonly string[];
  readonly charts: readonly PeerChart[];
}

const own = "wasm";
const runtimeNames: Readonly<Record<string, string>> = {
  "tfjs-wasm": "TensorFlow.js (WebAssembly)",
  "onnxruntime-web": "ONNX Runtime (WebAssembly)",
  "litert.js": "LiteRT.js (WebAssembly)",
  "onnxruntime-node": "ONNX Runtime (native)",
  pytorch: "PyTorch (native)",
};

/** Names of the other runtimes that took part. */
const listed = ({ peers }: PeerResults) =>
  peers.flatMap(({ name }) => (name in runtimeNames ? [runtimeNames[name]!] : [])).join(", ");

const batchesOf = ({ runs }: PeerResults) =>
  [...new Set(runs.map(({ batch }) => batch))].sort((a, b) => a - b);

/** The comparison with other runtimes: an interactive chart, what was promised, raw data, and how to repeat it. */
export async function writePeers(name: string, folder: string, site: string): Promise<ResultsPage> {
  const path = join(folder, "peers.json");
  const results = parsePeerResults(await readFile(path, "utf8"), path);
  await mkdir(join(site, "public", "data", name), { recursive: true });
  await copyFile(path, join(site, "public", "data", name, "peers.json"));
  await writeFile(join(site, "generated", "results", `${name}.json`), JSON.stringify(dataOf(results)));
  const { processor, cores, platform, node, date } = results.environment;
  const trained = results.runs.some(({ model }) => model.includes("trained"));
  const title =
    name === "peers" ? "Speed against other runtimes" : `Speed against other runtimes, ${processor}`;
  const text = `---
title: ${title}
aside: false
pageClass: wide
---

<script setup>
import data from "../generated/results/${name}.json";
import PeersExplorer from "../.vitepress/theme/results/PeersExplorer.vue";
</script>

# ${title}

The \`wasm\` backend against ${listed(results)}, one thread each, dense and pruned. All contenders take turns in one
process; outputs are compared before anything is timed.

<PeersExplorer :data="data" />

${promises(results)}

## Raw data

[peers.json](/data/${name}/peers.json){download}: every round of every contender.

## What it ran on

- ${processor}, ${cores} cores, ${platform}, Node ${node.slice(1)}; ${date.slice(0, 10)}; ${results.settings.rounds} rounds
${results.peers.map((peer) => `- \`${peer.name}\`: ${peer.detail}`).join("\n")}

## Repeat it

In a clone, on a machine with nothing else to do:

<!-- not run here: it takes as long as it took -->

\`\`\`sh
npx -y pnpm@12 bench:peers${trained ? " --trained" : ""}
\`\`\`
`;
  await writeFile(join(site, "results", `${name}.md`), text);
  return {
    title,
    link: `/results/${name}`,
    summary: `\`wasm\` and ${listed(results)}, one thread, dense and pruned, batches of ${batchesOf(results).join(", ")}.`,
  };
}

/** The benchmark's own text about its promises. */
function promises(results: PeerResults): string {
  const { blocks } = peersDocument(results);
  const from = blocks.findIndex((block) => block.kind === "heading" && block.text.startsWith("Promises"));
  if (from < 0) return "";
  const to = blocks.findIndex((block, i) => i > from && block.kind === "heading");
  return toMarkdown({ title: "", lead: "", blocks: blocks.slice(from, to) }).replace(/^# *\n+/, "");
}

function dataOf(results: PeerResults): PeersData {
  const runs = results.runs.filter(({ task }) => task === "forecast");
  const charts = runs.map((run) => ({ model: run.model, batch: run.batch, points: pointsOf(results, run) }));
  const lines = [...new Set(charts.flatMap(({ points }) => points.map(({ line }) => line)))];
  const runtimes = results.peers
    .map(({ name }) => name)
    .filter((name) => runs.some((run) => entryOf(run, name, "dense") !== undefined));
  return { lines, runtimes, charts };
}

function pointsOf(results: PeerResults, run: PeerRun): PeerPoint[] {
  const timed = new Set(run.entries.filter(({ peer }) => peer === own).map(({ variant }) => variant));
  const families = (Object.keys(familyNames) as Exclude<Family, "dense">[]).filter((family) =>
    variants.some((variant) => variant.family === family && timed.has(variant.id)),
  );
  const dense = new Map(results.peers.map(({ name }) => [name, entryOf(run, name, "dense")] as const));
  const point = (line: string, entry: PeerEntry): PeerPoint => ({
    line,
    variant: entry.variant,
    sparsity: results.sizes.find((s) => s.model === run.model && s.variant === entry.variant)!.sparsity,
    milliseconds: entry.timing.median,
    spread: entry.timing.spread,
    ratios: Object.fromEntries(
      [...dense].flatMap(([name, base]) => (base === undefined ? [] : [[name, ratioOf(base, entry)]])),
    ),
  });
  const entries = run.entries.filter(({ alone, peer, variant }) => !alone && agrees(run, peer, variant));
  return entries.flatMap((entry) => {
    if (entry.peer !== own) return [point(runtimeNames[entry.peer] ?? entry.peer, entry)];
    const family = variants.find(({ id }) => id === entry.variant)!.family;
    // The dense model is where every line of ours begins.
    const on = family === "dense" ? families : [family];
    return on.map((f) => point(`Espalier, ${familyNames[f]}`, entry));
  });
}
