import { maseText, naiveOf } from "./naive.ts";
import {
  formatBytes,
  formatChange,
  formatError,
  formatErrorStat,
  formatFlops,
  formatShare,
  formatShort,
  formatSpeedupStat,
  formatTimeStat,
} from "./numbers.ts";
import type { ErrorStats, Rows, RunRow, Section, Size } from "./section.ts";
import type { Table } from "./table.ts";
import { allowances, shownTiming, timingsOf, verdictsOf } from "./verdicts.ts";

const text = (label: string) => ({ label });
const number = (label: string) => ({ label, numeric: true });

/** The sparsest model of each strategy within 1 % and 5 % of the dense error, one row per strategy. */
export function verdictTable(section: Section): Table {
  const shown = shownTiming(section);
  const { size: dense } = section.dense;
  const verdicts = verdictsOf(section);
  const strategies = [...new Set(verdicts.map(({ strategy }) => strategy))];
  const speed = shown === undefined ? "" : ` Speed-up: ${shown.backend}, batch ${shown.batch}.`;
  return {
    caption: `Sparsest model of each strategy whose MSE is within 1 % and 5 % of the reference.${speed}`,
    columns: [
      text("strategy"),
      ...allowances.flatMap((allowance) =>
        ["sparsity", "MSE", "size", "FLOPs", ...(shown === undefined ? [] : ["speed-up"])].map((label) => ({
          ...number(label),
          group: `within ${formatShare(allowance)}`,
        })),
      ),
    ],
    rows: strategies.map((strategy) => [
      strategy,
      ...verdicts
        .filter((verdict) => verdict.strategy === strategy)
        .flatMap(({ run, timings }) => {
          const timing = timings.find((t) => t.backend === shown?.backend && t.batch === shown.batch);
          const cells =
            run === undefined
              ? ["none", "", "", ""]
              : [
                  formatShare(run.sparsity, 1),
                  formatErrorStat(run.after.mse),
                  formatChange(run.size.bytes.stored / dense.bytes.stored),
                  formatChange(run.size.flops.effective / dense.flops.effective),
                ];
          return shown === undefined
            ? cells
            : [...cells, timing === undefined ? "" : formatSpeedupStat(timing.speedup)];
        }),
    ]),
  };
}

/** A note in the caption if a table has marked rows. */
function markNote(runs: readonly { readonly met: boolean }[]): string {
  return runs.every(({ met }) => met) ? "" : ". ○: target not reached";
}

/** Sizes of models, dense first. */
export function sizeTable(section: Section, runs: readonly RunRow[], caption: string): Table {
  const { files } = section.dense.size;
  const whole = files.get("float32");
  const forms = [...files.keys()];
  const file = (bytes: number | undefined): string =>
    bytes === undefined ? "" : `${formatBytes(bytes)} (${formatShare(bytes / whole!, 1)})`;
  const cells = (size: Size): string[] => [
    formatShort(size.parameters.nonzero),
    formatShort(size.parameters.total),
    formatFlops(size.flops.effective),
    formatFlops(size.flops.total),
    formatBytes(size.bytes.stored),
    formatBytes(size.bytes.dense),
    ...forms.map((form) => file(size.files.get(form))),
  ];
  const share = forms.length === 0 ? "" : ". Files on disk: share of the dense float32 file";
  return {
    caption: `${caption}${share}${markNote(runs)}`,
    columns: [
      text("strategy"),
      text("target"),
      number("sparsity reached"),
      number("parameters kept"),
      number("with zeros"),
      number("FLOPs, zeros skipped"),
      number("FLOPs, executed densely"),
      number("bytes stored"),
      number("bytes uncompressed"),
      ...forms.map((form) => number(`${form} file`)),
    ],
    rows: [
      ["dense", "", formatShare(0, 1), ...cells(section.dense.size)],
      ...runs.map((run) => [
        ...runCells(run),
        ...(run.applicable ? cells(run.size) : Array<string>(6 + forms.length).fill("")),
      ]),
    ],
  };
}

/** Errors before and after fine-tuning, dense first. */
export function errorTable(section: Section, withTuning: boolean): Table {
  const { errors, rounded } = section.dense;
  const forms = [...rounded.keys()];
  const roundedCells = (from: Pick<RunRow, "after" | "rounded">): string[] =>
    forms.map((form) => {
      const mse = from.rounded.get(form)?.mse;
      return mse === undefined
        ? ""
        : `${formatErrorStat(mse)} (${formatChange(mse.mean / from.after.mse.mean)})`;
    });
  return {
    caption: `Test errors before and after fine-tuning${markNote(section.runs)}`,
    columns: [
      text("strategy"),
      text("target"),
      number("sparsity reached"),
      ...(withTuning ? [text("fine-tuning")] : []),
      number("MSE before"),
      number("MSE after"),
      number("against dense"),
      number("MAE before"),
      number("MAE after"),
      number("against dense"),
      ...forms.map((form) => number(`MSE after, ${form}`)),
    ],
    rows: [
      [
        "dense",
        "",
        formatShare(0, 1),
        ...(withTuning ? [""] : []),
        "",
        formatErrorStat(errors.mse),
        "",
        "",
        formatErrorStat(errors.mae),
        "",
        ...roundedCells({ after: errors, rounded }),
      ],
      ...section.runs.map((run) => {
        const lead = [...runCells(run), ...(withTuning ? [run.tuning] : [])];
        if (!run.applicable) return [...lead, ...Array<string>(6 + forms.length).fill("")];
        return [
          ...lead,
          ...(["mse", "mae"] as const).flatMap((metric) => [
            formatErrorStat(run.before[metric]),
            formatErrorStat(run.after[metric]),
            formatChange(run.after[metric].mean / errors[metric].mean),
          ]),
          ...roundedCells(run),
        ];
      }),
    ],
  };
}

/**
 * Every model in one table, dense ones first: errors as mean ± standard deviation over seeds, sizes relative to the
 * dense model's.
 */
export function everythingTable({ sections, tunings }: Rows): Table {
  const several = sections.length > 1;
  const timed = sections.some((section) => shownTiming(section) !== undefined);
  const scaled = sections.some(({ dense }) => dense.errors.mase !== undefined);
  const mase = ({ mase: value }: ErrorStats): string[] =>
    scaled ? [value === undefined ? "" : maseText(value)] : [];
  const row = (
    model: string,
    lead: readonly string[],
    tuning: string,
    cells: readonly string[],
    speed: string,
  ): string[] => [
    ...(several ? [model] : []),
    ...lead,
    ...(tunings.length > 1 ? [tuning] : []),
    ...cells,
    ...(timed ? [speed] : []),
  ];
  const rows = sections.flatMap((section) => {
    const { title, dense, reference } = section;
    const change = (value: string, ratio: number): string => `${value} (${formatChange(ratio)})`;
    return [
      row(
        title,
        ["dense", "", formatShare(0, 1)],
        "",
        [
          `${dense.seeds.length}`,
          formatShort(dense.size.parameters.total),
          formatBytes(dense.size.bytes.stored),
          formatFlops(dense.size.flops.effective),
          "",
          formatErrorStat(dense.errors.mse),
          formatChange(dense.errors.mse.mean / reference),
          formatErrorStat(dense.errors.mae),
          ...mase(dense.errors),
        ],
        "",
      ),
      ...naiveOf(dense).map(({ name, errors }) =>
        row(
          title,
          [name, "", ""],
          "",
          [
            ...Array<string>(5).fill(""),
            formatError(errors.mse),
            formatChange(errors.mse / reference),
            formatError(errors.mae),
            ...(scaled ? [maseText({ mean: errors.mase ?? Number.NaN, spread: 0 })] : []),
          ],
          "",
        ),
      ),
      ...section.runs.map((run) => {
        if (!run.applicable)
          return row(title, runCells(run), run.tuning, Array<string>(scaled ? 9 : 8).fill(""), "");
        const { size, before, after, reference: own } = run;
        const cells = [
          `${run.seeds.length}`,
          change(formatShort(size.parameters.nonzero), size.parameters.nonzero / dense.size.parameters.total),
          change(formatBytes(size.bytes.stored), size.bytes.stored / dense.size.bytes.stored),
          change(formatFlops(size.flops.effective), size.flops.effective / dense.size.flops.effective),
          formatErrorStat(before.mse),
          formatErrorStat(after.mse),
          formatChange(after.mse.mean / own),
          formatErrorStat(after.mae),
          ...mase(after),
        ];
        return row(title, runCells(run), run.tuning, cells, speedText(section, run));
      }),
    ];
  });
  return {
    caption: `Test errors: mean ± standard deviation over seeds; ${referencesText(sections)}${timed ? `. Speed-up: ${speedsText(sections)}` : ""}${markNote(sections.flatMap(({ runs }) => runs))}`,
    columns: [
      ...(several ? [text("model")] : []),
      text("recipe"),
      text("target"),
      number("sparsity reached"),
      ...(tunings.length > 1 ? [text("fine-tuning")] : []),
      number("seeds"),
      number("parameters"),
      number("size"),
      number("FLOPs"),
      number("MSE pruned"),
      number("MSE fine-tuned"),
      number("against reference"),
      number("MAE fine-tuned"),
      ...(scaled ? [number("MASE fine-tuned")] : []),
      ...(timed ? [number("speed-up")] : []),
    ],
    rows,
  };
}

function referencesText(sections: readonly Section[]): string {
  const given = sections.filter(({ reference, dense }) => reference !== dense.errors.mse.mean);
  if (given.length === 0) return "the reference is the dense model's";
  return `reference MSE ${given.map(({ title, reference }) => `${formatError(reference)} (${title})`).join(", ")}`;
}

function speedsText(sections: readonly Section[]): string {
  const all = sections.flatMap((section) => {
    const shown = shownTiming(section);
    return shown === undefined ? [] : [`${shown.backend}, batch ${shown.batch}`];
  });
  return [...new Set(all)].join("; ");
}

function speedText(section: Section, run: RunRow): string {
  const shown = shownTiming(section);
  const timing = timingsOf(section, run).find(
    ({ backend, batch }) => backend === shown?.backend && batch === shown.batch,
  );
  return timing === undefined ? "" : formatSpeedupStat(timing.speedup);
}

/** Latencies of dense and pruned, and their ratio. */
export function timingTable(section: Section): Table {
  return {
    caption: `Latency of a call: median ± half the interquartile range${markNote(section.timings)}`,
    columns: [
      text("backend"),
      number("batch"),
      text("strategy"),
      text("target"),
      number("sparsity reached"),
      number("dense"),
      number("pruned"),
      number("speed-up"),
      number("samples"),
    ],
    rows: section.timings
      .toSorted((a, b) => a.backend.localeCompare(b.backend, "en") || a.batch - b.batch)
      .map((row) => [
        row.backend,
        String(row.batch),
        row.strategy,
        row.target,
        reached(row),
        formatTimeStat(row.dense),
        formatTimeStat(row.pruned),
        formatSpeedupStat(row.speedup),
        String(row.samples),
      ]),
  };
}

/** Targets that were not reached, and strategies that do not apply, with reasons. */
export function missedTable(section: Section): Table | undefined {
  const seen = new Set<string>();
  const rows = section.runs.flatMap((run) => {
    const key = `${run.strategy}\n${run.target}`;
    if ((run.met && run.applicable) || seen.has(key)) return [];
    seen.add(key);
    return [
      [
        run.strategy,
        run.target,
        run.applicable ? `${formatShare(run.sparsity, 1)} sparsity` : "not applicable",
        run.reasons.join("; "),
      ],
    ];
  });
  if (rows.length === 0) return undefined;
  return {
    caption: "Targets not reached",
    columns: [text("strategy"), text("target"), text("nearest"), text("why")],
    rows,
  };
}

function runCells(run: RunRow): string[] {
  return [run.strategy, run.target, run.applicable ? reached(run) : "not applicable"];
}

/** The sparsity of a model, marked as in the charts if its target was not reached. */
function reached({ sparsity, met }: { readonly sparsity: number; readonly met: boolean }): string {
  return `${met ? "" : "○ "}${formatShare(sparsity, 1)}`;
}
