/**
 * What pruning costs trained checkpoints on ETTh1, and what fine-tuning brings back: `pnpm bench:recovery`. Writes
 * recovery.json after every run, and recovery.md; what is there already is not run again.
 */

import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { environment, packageVersions } from "@espalier/bench";
import { EspalierError, matchesAny } from "@espalier/core";
import { forecastingData } from "@espalier/datasets/node";
import { readBytes, writeFileAtomically } from "@espalier/formats/node";
import { createRegistry } from "@espalier/recipe/standard";
import { toMarkdown } from "@espalier/report";
import { runScript } from "../script.ts";
import {
  type Case,
  cases,
  choices,
  measureDense,
  parseRecovery,
  type RecoveryResults,
  readCheckpoints,
  recoveryDocument,
  runCase,
  settingsText,
  type Workbench,
} from "./index.ts";

const usage = `pnpm bench:recovery [options]
  --cases a,b         ids of cases, * for any text (all): ${[...cases, ...choices].map(({ id }) => id).join(", ")}
  --trained FOLDER    the checkpoints (../shared/reference/trained)
  --pause FILE        start no run while this file exists
  --draw              write recovery.md from what is there, and run nothing
  --out FOLDER        espalier-out/recovery`;

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");

async function main(): Promise<void> {
  const { values: flags } = parseArgs({
    options: {
      help: { type: "boolean", default: false },
      draw: { type: "boolean", default: false },
      cases: { type: "string", default: "*" },
      trained: { type: "string", default: join(root, "../shared/reference/trained") },
      pause: { type: "string" },
      out: { type: "string", default: "espalier-out/recovery" },
    },
  });
  if (flags.help) {
    console.log(usage);
    return;
  }
  const wanted = flags.cases.split(",");
  const chosen = [...cases, ...choices].filter(({ id }) => matchesAny(wanted, id));
  if (chosen.length === 0)
    throw new EspalierError(`--cases ${flags.cases}: there is no such case.\n${usage}`);
  await mkdir(flags.out, { recursive: true });
  const path = join(flags.out, "recovery.json");
  let results = existsSync(path)
    ? parseRecovery(new TextDecoder().decode(await readBytes(path, "results")), path)
    : undefined;
  if (!flags.draw) {
    if (!existsSync(flags.trained)) throw new EspalierError(`there are no checkpoints in ${flags.trained}.`);
    const bench = await openBench(flags.trained);
    results ??= await start(bench);
    await save(path, results);
    for (const [one, seed] of missing(results, chosen)) {
      while (flags.pause !== undefined && existsSync(flags.pause)) await setTimeout(5000);
      const run = await runCase(bench, one, seed);
      results.runs = [...results.runs.filter((old) => old.case !== one.id || old.seed !== seed), run];
      await save(path, results);
      const { mse } = run.test;
      console.error(
        `${one.id}, seed ${seed}: validation ${run.validation[run.best - 1]!.toFixed(4)}, test ${mse.toFixed(4)}, ${run.seconds.toFixed(0)} s`,
      );
    }
  }
  if (results === undefined) throw new EspalierError(`${path} is not there.`);
  const page = toMarkdown(recoveryDocument(results));
  await writeFileAtomically(join(flags.out, "recovery.md"), page, { force: true });
}

async function openBench(trained: string): Promise<Workbench> {
  const registry = createRegistry();
  const shared = join(root, "../shared/datasets");
  const { ESPALIER_DATA: given, ESPALIER_CACHE: cache } = process.env;
  const folder = given ?? (existsSync(shared) ? shared : undefined);
  const data = await forecastingData({ dataset: "ETTh1", inputLength: 96, horizon: 96, folder, cache });
  const checkpoints = await readCheckpoints(trained, registry);
  return { registry, backend: registry.backend("wasm"), data, checkpoints };
}

async function start(bench: Workbench): Promise<RecoveryResults> {
  return {
    format: 1,
    environment: environment(bench.data.checksum, packageVersions()),
    dense: await measureDense(bench),
    runs: [],
  };
}

/** Runs there are no results of, or of other settings; first seeds first, so that every row has a number early. */
function missing({ runs }: RecoveryResults, chosen: readonly Case[]): [Case, number][] {
  const known = new Map(runs.map((run) => [`${run.case} ${run.seed}`, run.settings]));
  const rounds = Math.max(...chosen.map(({ seeds }) => seeds.length));
  return Array.from({ length: rounds }, (_, round) =>
    chosen.flatMap((one): [Case, number][] => {
      const seed = one.seeds[round];
      return seed === undefined || known.get(`${one.id} ${seed}`) === settingsText(one) ? [] : [[one, seed]];
    }),
  ).flat();
}

async function save(path: string, results: RecoveryResults): Promise<void> {
  await writeFileAtomically(path, `${JSON.stringify(results, null, 1)}\n`, { force: true });
}

await runScript("bench:recovery", main);
