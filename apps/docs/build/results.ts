import { existsSync } from "node:fs";
import { copyFile, cp, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isPrune, readResults } from "@espalier/bench";
import { configurationsOf, dataOf, machinesOf, type Rows, rowsOf } from "@espalier/report";
import { stringify } from "yaml";
import { writePeers } from "./peers.ts";
import { reportIn, withFilesOf, writeReportPage, writeTextPage } from "./report-page.ts";
import type { ResultsPage } from "./results-page.ts";

/** Data for a page of results. */
export interface ResultsData extends Rows {
  readonly name: string;
}

/**
 * A page for each folder of `results/`: of a sweep or of the comparison with other runtimes with charts, what it ran on, raw
 * data, and how to repeat it; of anything else the report that lies there. Texts beside them are pages, too.
 */
export async function writeResults(workspace: string, site: string): Promise<ResultsPage[]> {
  const from = join(workspace, "results");
  await mkdir(join(site, "generated", "results"), { recursive: true });
  await mkdir(join(site, "results"), { recursive: true });
  const pages: ResultsPage[] = [];
  const comparisons: ResultsPage[] = [];
  for (const entry of (await readdir(from, { withFileTypes: true })).sort((a, b) =>
    a.name.localeCompare(b.name),
  )) {
    const { name } = entry;
    if (entry.isFile() && name.endsWith(".md") && name !== "README.md")
      pages.push(await writeTextPage(join(from, name), name.slice(0, -3).toLowerCase(), site));
    if (!entry.isDirectory()) continue;
    const folder = join(from, name);
    const report = await reportIn(folder);
    if (await hasPruned(join(folder, "results.jsonl"))) pages.push(await writeSweep(name, folder, site));
    else if (existsSync(join(folder, "peers.json"))) comparisons.push(await writePeers(name, folder, site));
    else if (report !== undefined) pages.push(await writeReportPage(name, folder, report, site));
    else
      throw new Error(
        `results/${name} holds neither results.jsonl, nor peers.json, nor a report in Markdown.`,
      );
  }
  return [...comparisons, ...pages];
}

/** Whether results have something to draw: a study that has just begun has dense models only, and its README says so. */
async function hasPruned(path: string): Promise<boolean> {
  return existsSync(path) && (await readResults(path)).some(isPrune);
}

async function writeSweep(name: string, folder: string, site: string): Promise<ResultsPage> {
  const records = await readResults(join(folder, "results.jsonl"));
  const rows = rowsOf(records);
  const raw = join(site, "public", "data", name);
  await mkdir(raw, { recursive: true });
  await copyFile(join(folder, "results.jsonl"), join(raw, "results.jsonl"));
  const charts = join(folder, "charts");
  if (existsSync(charts)) await cp(charts, join(raw, "charts"), { recursive: true });
  const configurations = configurationsOf(records);
  const files = configurations.map((_, i) =>
    configurations.length === 1 ? "sweep.yaml" : `sweep-${i + 1}.yaml`,
  );
  for (const [i, file] of files.entries())
    await writeFile(join(raw, file), stringify({ name, ...configurations[i] }));
  const data: ResultsData = { name, ...rows };
  await writeFile(join(site, "generated", "results", `${name}.json`), JSON.stringify(data));

  const about = await readFile(join(folder, "README.md"), "utf8").catch(() => undefined);
  const [heading, ...body] = (about ?? `# ${name}\n`).trim().split("\n");
  const title = heading!.replace(/^# /, "");
  const dates = records.map(({ environment }) => environment.date.slice(0, 10)).sort();
  const machines = machinesOf(records).map(
    ({ processor, cores, platform, node, versions }) =>
      `${processor}, ${cores} cores, ${platform}, Node ${node.slice(1)}; ${Object.entries(versions)
        .map(([of, version]) => `${of} ${version}`)
        .join(", ")}`,
  );
  const seeds = Math.max(...rows.sections.map(({ dense }) => dense.seeds.length));
  const summary = `${rows.sections.map((section) => `${section.title} (${section.lengths})`).join("; ")}; ${
    records.length
  } measurements.`;
  const text = `---
title: ${JSON.stringify(title)}
aside: false
pageClass: wide
---

<script setup>
import data from "../generated/results/${name}.json";
import ResultsExplorer from "../.vitepress/theme/results/ResultsExplorer.vue";
</script>

# ${title}

${withFilesOf(name, body.join("\n").trim()) || summary}

<ResultsExplorer :data="data" />

## Raw data

[results.jsonl](/data/${name}/results.jsonl){download}: ${records.length} records, one line of JSON each, every measurement
with its configuration and what it ran on. \`npx espalier report results.jsonl --out report\` draws the printed report of it.

## What it ran on

${machines.map((machine) => `- ${machine}`).join("\n")}
- Data: ${dataOf(records)
    .map(({ dataset, checksum }) => `${datasetName(dataset)} (SHA-256 \`${checksum.slice(0, 12)}…\`)`)
    .join(", ")}
- ${dates[0] === dates.at(-1) ? dates[0] : `${dates[0]} to ${dates.at(-1)}`}; ${seeds === 1 ? "one seed" : `${seeds} seeds`}

## Repeat it

${files
  .map(
    (file) =>
      `Save [${file}](/data/${name}/${file}){download}, then run it; a sweep that was stopped goes on where it was:

<!-- not run here: it takes as long as it took -->

\`\`\`sh
npx espalier sweep ${file} --out espalier-out/${name}
\`\`\`
`,
  )
  .join("\n")}
Errors come out the same to the last digit on the same kind of processor. Times do not: compare ratios.
`;
  await writeFile(join(site, "results", `${name}.md`), text);
  return { title, link: `/results/${name}`, summary };
}

/** A path of the machine that measured is nobody's business. */
function datasetName(dataset: string): string {
  return dataset.split("/").at(-1)!;
}
