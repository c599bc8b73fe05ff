/**
 * Writes what `results/` says of the published studies, from the results there: `pnpm bench:claims`. With `--runs FOLDER` it
 * first takes the results of `FOLDER/sedimark`, `FOLDER/sedimark-sizes`, `FOLDER/kiefer` and `FOLDER/kiefer-times`, as sweeps
 * leave them; what is not there stays as it is.
 */
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { ResultRecord } from "@espalier/bench";
import { writeReport } from "@espalier/report";
import { runScript } from "../script.ts";
import { claimsMarkdown, committedStudies, root, type Study, studyMarkdown } from "./index.ts";

/** Sweeps of untrained models, by study. */
const untrained = { sedimark: "sedimark-sizes", kiefer: "kiefer-times" } as const;
/** Charts that say something without training, and those that do not. */
const [withoutTraining, withTraining] = [
  /-(model-size|parameters-flops|speedup)\.png$/,
  /-(error-sparsity|error-size)\.png$/,
];

const results = new URL("results/", root).pathname;

async function take(runs: string): Promise<void> {
  for (const study of ["sedimark", "kiefer"] as const) {
    const files = { "results.jsonl": study, "untrained.jsonl": untrained[study] };
    for (const [file, sweep] of Object.entries(files)) {
      const from = join(runs, sweep, "results.jsonl");
      // A sweep that was just started has an empty file.
      if (existsSync(from) && (await stat(from)).size > 0) await copyFile(from, join(results, study, file));
    }
  }
}

/** Draws the charts of some records that match a pattern into a folder. */
async function draw(records: readonly ResultRecord[], which: RegExp, charts: string): Promise<void> {
  if (!records.some(({ cell }) => cell.kind === "prune")) return;
  const folder = await mkdtemp(join(tmpdir(), "espalier-claims-"));
  try {
    await writeReport(records, { out: join(folder, "report") });
    const drawn = join(folder, "report", "charts");
    for (const file of await readdir(drawn))
      if (which.test(file)) await copyFile(join(drawn, file), join(charts, file));
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function drawAll({ name, records, untrained: sizes }: Study): Promise<void> {
  const charts = join(results, name, "charts");
  await rm(charts, { recursive: true, force: true });
  await mkdir(charts);
  await draw(sizes, withoutTraining, charts);
  await draw(records, withTraining, charts);
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { runs: { type: "string" } } });
  if (values.runs !== undefined) await take(resolve(values.runs));
  for (const study of Object.values(await committedStudies())) await drawAll(study);
  const studies = await committedStudies();
  for (const study of Object.values(studies))
    await writeFile(join(results, study.name, "README.md"), studyMarkdown(study));
  await writeFile(join(results, "CLAIMS.md"), claimsMarkdown(studies));
}

await runScript("bench:claims", main);
