import { rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  type CellEvent,
  cellKinds,
  cellsOf,
  createSweepPace,
  findPreset,
  loadSweepConfig,
  lockSweep,
  readResults,
  readSweepConfig,
  runSweep,
  type SweepConfig,
  type SweepResult,
  withAvailableBackends,
} from "@espalier/bench";
import { EspalierError } from "@espalier/core";
import { catalogue } from "@espalier/datasets";
import { fetchDataset } from "@espalier/datasets/node";
import type { Registry, UseConfig } from "@espalier/recipe";
import { plural } from "@espalier/report/text";
import type { SweepOptions } from "../commands/sweep.ts";
import type { Context } from "../context.ts";
import { cellLine, cellText } from "../output/cells.ts";
import { type Bar, openBar } from "../output/progress.ts";
import { dataFolders, datasetPath, fetchOptions } from "../shared/data.ts";
import { queueGiven, runOnFleet } from "../shared/fleet.ts";
import { registryWith } from "../shared/plugins.ts";
import { version } from "../version.ts";

/** `espalier sweep`. Ends with the path of the report, even after a Ctrl-C. */
export async function sweep(
  file: string | undefined,
  options: SweepOptions,
  context: Context,
): Promise<void> {
  const registry = await registryWith(options.plugin, context);
  const config = await withAvailableBackends(
    chosen(await configOf(file, options, registry, context), file, options, registry, context),
    registry,
  );
  const called = file === undefined ? (options.preset ?? "quick") : config.name;
  const given = options.out ?? join("espalier-out", slug([called, ...(options.dataset ?? [])].join("-")));
  const out = context.path(given);
  if (options.fresh) await forget(out);
  const bar = await openBar(context);
  let result: SweepResult;
  try {
    await fetchAll(config, context, bar);
    context.endsInOrder(bar.line);
    const queue = queueGiven(options, context);
    const beside = dirname(context.path(file ?? "."));
    const parts = { out, beside, registry, context, bar };
    result =
      queue === undefined
        ? await runAll(config, parts)
        : await runOnFleet(config, { ...parts, queue, options });
  } finally {
    bar.stop();
  }
  await finish(result, { config, out, json: options.json ?? false, context });
}

async function configOf(
  file: string | undefined,
  { preset }: SweepOptions,
  registry: Registry,
  context: Context,
): Promise<SweepConfig> {
  if (file === undefined)
    return readSweepConfig(findPreset(preset ?? "quick"), `preset ${preset ?? "quick"}`);
  if (preset !== undefined)
    throw new EspalierError("give either a configuration file or --preset, not both.");
  return loadSweepConfig(context.path(file), `sweep ${file}`, registry);
}

/** The configuration with the options' selections and replacements applied. */
function chosen(
  config: SweepConfig,
  file: string | undefined,
  options: SweepOptions,
  registry: Registry,
  context: Context,
): SweepConfig {
  const datasets = (options.dataset ?? config.datasets).map((name) => datasetPath(name, context));
  const { backends = config.backends } = options;
  for (const name of options.backends ?? []) if (name !== "available") registry.backend(name);
  return {
    ...config,
    datasets: datasets as [string, ...string[]],
    models: pick(config.models, options.models, (name) => {
      if (file !== undefined) throw lacking("--models", name, file, config.models);
      registry.model(name);
    }),
    strategies: pick(config.strategies, options.strategies, (name) => {
      // Those of plug-ins may join the file's.
      if (file !== undefined && options.plugin === undefined)
        throw lacking("--strategies", name, file, config.strategies);
      registry.strategy({ use: name });
    }),
    backends: backends as [string, ...string[]],
    ...(options.only && { only: kindsIn(options.only) }),
  };
}

function kindsIn(given: readonly string[]): SweepConfig["only"] {
  const wrong = given.find((name) => !cellKinds.some((kind) => kind === name));
  if (wrong !== undefined)
    throw new EspalierError(`--only: "${wrong}" is not a kind of cell. Known: ${cellKinds.join(", ")}.`);
  return given as SweepConfig["only"];
}

/** A sweep's file says how each of its entries is made: others would run with options that nobody chose. */
function lacking(option: string, name: string, file: string, list: readonly UseConfig[]): EspalierError {
  const has = list.map(({ use, label }) => (typeof label === "string" ? label : use));
  return new EspalierError(
    `${option}: "${name}" is not in ${file}, which has ${[...new Set(has)].join(", ")}.`,
  );
}

/** Selects entries by name or label; of one that the configuration lacks `check` decides: it gets default options. */
function pick(
  list: readonly UseConfig[],
  wanted: readonly string[] | undefined,
  check: (name: string) => void,
): [UseConfig, ...UseConfig[]] {
  const picked = wanted?.flatMap((name) => {
    const same = ({ use, label }: UseConfig) =>
      use.toLowerCase() === name.toLowerCase() || (typeof label === "string" && label === name);
    const found = list.filter(same);
    if (found.length > 0) return found;
    check(name);
    return [{ use: name }];
  });
  return (picked ?? list) as [UseConfig, ...UseConfig[]];
}

/** Deletes the results and models of an earlier sweep from a folder, and nothing else. */
async function forget(out: string): Promise<void> {
  const results = join(out, "results.jsonl");
  const there = await stat(results).catch(() => undefined);
  if (there === undefined) return;
  const release = await lockSweep(out);
  try {
    await readResults(results);
    await rm(results);
    await rm(join(out, "models"), { recursive: true, force: true });
  } finally {
    await release();
  }
}

/** Downloads missing data sets before the first cell, with a progress bar. */
async function fetchAll(config: SweepConfig, context: Context, bar: Bar): Promise<void> {
  for (const name of config.datasets) {
    if (catalogue.some((entry) => entry.name === name))
      await fetchDataset(name, fetchOptions(name, context, bar));
  }
}

interface Places {
  readonly out: string;
  readonly beside: string;
  readonly registry: Registry;
  readonly context: Context;
  readonly bar: Bar;
}

async function runAll(
  config: SweepConfig,
  { out, beside, registry, context, bar }: Places,
): Promise<SweepResult> {
  const cells = cellsOf(config);
  const pace = createSweepPace();
  let at: CellEvent | undefined;
  let started = performance.now();
  const show = (within: number) => {
    if (at === undefined) return;
    const rest = pace.estimate(cells.slice(at.done));
    const spent = (performance.now() - started) / 1000;
    bar.update({
      label: `${at.done + 1}/${at.total} ${cellText(at.cell).trim()}`,
      share: (at.done + within) / at.total,
      remaining: rest === undefined ? null : Math.max(0, rest - spent),
    });
  };
  return runSweep(config, {
    out,
    registry,
    signal: context.signal,
    data: { ...dataFolders(context), beside },
    versions: { espalier: version },
    onProgress: ({ done, total }) => show(done / total),
    onCell(event) {
      if (event.outcome === "started") {
        at = event;
        started = performance.now();
        show(0);
      } else if (event.outcome !== "kept") {
        if (event.record !== undefined) pace.done(event.cell, event.record.seconds);
        bar.line(cellLine(event, context.noteColors));
      }
    },
  });
}

interface Finish {
  readonly config: SweepConfig;
  readonly out: string;
  readonly json: boolean;
  readonly context: Context;
}

/** Writes the report and prints its path. Throws a one-line error if cells are missing or failed. */
async function finish(result: SweepResult, { config, out, json, context }: Finish): Promise<void> {
  const { records, done, kept, failed, aborted, results } = result;
  const { summaryLines, writeReport } = await import("@espalier/report");
  const report =
    records.length === 0
      ? undefined
      : await writeReport(records, {
          out: join(out, "report"),
          title: config.name,
          note: config.note,
          models: join(out, "models"),
          onNote: context.note,
          force: true,
        });
  if (json) {
    context.print([
      JSON.stringify({ results, done, kept, failed, aborted, report: report ?? null }, null, 2),
    ]);
  } else if (report !== undefined) {
    const { colors } = context;
    const counts = [
      `${plural(done, "cell")} done`,
      ...(kept > 0 ? [`${kept} kept from an earlier run`] : []),
    ].join(", ");
    context.print([
      ...summaryLines(records),
      "",
      colors.dim(`${counts}; results in ${results}`),
      colors.green(report.html),
    ]);
  }
  if (aborted) {
    const total = cellsOf(config).length;
    throw new EspalierError(
      `stopped after ${done + kept + failed} of ${total} cells. Repeat the command to continue.`,
    );
  }
  if (failed > 0) {
    throw new EspalierError(
      `${plural(failed, "cell")} failed; the report says why. Repeat the command to try them again.`,
    );
  }
}

function slug(text: string): string {
  return text.replace(/[^\w.-]+/g, "-").replace(/^-+|-+$/g, "") || "sweep";
}
