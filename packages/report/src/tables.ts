import { targetText } from "./charts/model-size.ts";
import {
  formatBytes,
  formatChange,
  formatCount,
  formatErrorStat,
  formatFlops,
  formatShare,
  formatSpeedupStat,
  formatTime,
  withSpread,
} from "./numbers.ts";
import type { RunRow, Section, Size } from "./rows.ts";
import { allowances, shownTiming, timingsOf, verdictsOf } from "./summary.ts";

export interface Column {
  readonly label: string;
  readonly numeric?: boolean;
  /** A heading over this column and its neighbours of the same group. */
  readonly group?: string;
}

/** A table of text, before it is HTML or Markdown. */
export interface Table {
  readonly caption: string;
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly string[])[];
}

const text = (label: string) => ({ label });
const number = (label: string) => ({ label, numeric: true });

/** The sparsest model of each strategy within 1 % and 5 % of the dense error, a row a strategy. */
export function verdictTable(section: Section): Table {
  const shown = shownTiming(section);
  const { size: dense } = section.dense;
  const verdicts = verdictsOf(section);
  const strategies = [...new Set(verdicts.map(({ strategy }) => strategy))];
  const speed = shown === undefined ? "" : ` Speed-up: ${shown.backend}, batch ${shown.batch}.`;
  return {
    caption: `Sparsest model of each strategy whose MSE is within 1 % and 5 % of the dense one's.${speed}`,
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

/** What a caption adds where a table has marked rows. */
function markNote(runs: readonly { readonly met: boolean }[]): string {
  return runs.every(({ met }) => met) ? "" : ". ○: target not reached";
}

/** Sizes of models, dense first. */
export function sizeTable(section: Section, runs: readonly RunRow[], caption: string): Table {
  const cells = (size: Size): string[] => [
    formatCount(size.parameters.nonzero),
    formatCount(size.parameters.total),
    formatFlops(size.flops.effective),
    formatFlops(size.flops.total),
    formatBytes(size.bytes.stored),
    formatBytes(size.bytes.dense),
  ];
  return {
    caption: `${caption}${markNote(runs)}`,
    columns: [
      text("strategy"),
      text("target"),
      number("sparsity reached"),
      number("parameters kept"),
      number("with zeros"),
      number("FLOPs, zeros skipped"),
      number("FLOPs as executed densely"),
      number("bytes stored"),
      number("bytes uncompressed"),
    ],
    rows: [
      ["dense", "", formatShare(0, 1), ...cells(section.dense.size)],
      ...runs.map((run) => [
        ...runCells(run),
        ...(run.applicable ? cells(run.size) : Array<string>(6).fill("")),
      ]),
    ],
  };
}

/** Errors before and after fine-tuning, dense first. */
export function errorTable(section: Section, withTuning: boolean): Table {
  const { errors } = section.dense;
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
      ],
      ...section.runs.map((run) => {
        const lead = [...runCells(run), ...(withTuning ? [run.tuning] : [])];
        if (!run.applicable) return [...lead, ...Array<string>(6).fill("")];
        return [
          ...lead,
          ...(["mse", "mae"] as const).flatMap((metric) => [
            formatErrorStat(run.before[metric]),
            formatErrorStat(run.after[metric]),
            formatChange(run.after[metric].mean / errors[metric].mean),
          ]),
        ];
      }),
    ],
  };
}

/** Everything of a section in one table: a row a model, dense first. */
export function everythingTable(section: Section, withTuning: boolean): Table {
  const shown = shownTiming(section);
  const { size: dense, errors } = section.dense;
  const speedNote = shown === undefined ? "" : `. Speed-up: ${shown.backend}, batch ${shown.batch}`;
  const change = (value: string, ratio: number): string => `${value} (${formatChange(ratio)})`;
  const tuning = (value: string): string[] => (withTuning ? [value] : []);
  const speed = (value: string): string[] => (shown === undefined ? [] : [value]);
  const rows = section.runs.map((run) => {
    const lead = [...runCells(run), ...tuning(run.tuning)];
    if (!run.applicable) return [...lead, ...Array<string>(6).fill(""), ...speed("")];
    const { size, before, after } = run;
    const timing = timingsOf(section, run).find(
      (t) => t.backend === shown?.backend && t.batch === shown.batch,
    );
    return [
      ...lead,
      change(formatCount(size.parameters.nonzero), size.parameters.nonzero / dense.parameters.total),
      change(formatBytes(size.bytes.stored), size.bytes.stored / dense.bytes.stored),
      change(formatCount(size.flops.effective), size.flops.effective / dense.flops.effective),
      formatErrorStat(before.mse),
      change(formatErrorStat(after.mse), after.mse.mean / errors.mse.mean),
      change(formatErrorStat(after.mae), after.mae.mean / errors.mae.mean),
      ...speed(timing === undefined ? "" : formatSpeedupStat(timing.speedup)),
    ];
  });
  return {
    caption: `Every model, and its change against the dense one${speedNote}${markNote(section.runs)}`,
    columns: [
      text("strategy"),
      text("target"),
      number("sparsity reached"),
      ...(withTuning ? [text("fine-tuning")] : []),
      number("parameters"),
      number("size"),
      number("FLOPs"),
      number("MSE pruned"),
      number("MSE fine-tuned"),
      number("MAE fine-tuned"),
      ...(shown === undefined ? [] : [number("speed-up")]),
    ],
    rows: [
      [
        "dense",
        "",
        formatShare(0, 1),
        ...tuning(""),
        formatCount(dense.parameters.total),
        formatBytes(dense.bytes.stored),
        formatCount(dense.flops.effective),
        "",
        formatErrorStat(errors.mse),
        formatErrorStat(errors.mae),
        ...speed(""),
      ],
      ...rows,
    ],
  };
}

/** Latencies of dense and pruned, and their ratio. */
export function timingTable(section: Section): Table {
  return {
    caption: `Latency of a call: median ± half the distance between the quartiles${markNote(section.timings)}`,
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
        targetText(row),
        reached(row),
        withSpread(formatTime, row.dense),
        withSpread(formatTime, row.pruned),
        formatSpeedupStat(row.speedup),
        String(row.samples),
      ]),
  };
}

/** Targets that were not reached, and strategies that do not apply, with reasons. */
export function missedTable(section: Section): Table | undefined {
  const seen = new Set<string>();
  const rows = section.runs.flatMap((run) => {
    const key = `${run.strategy}\n${run.metric}\n${run.asked}`;
    if ((run.met && run.applicable) || seen.has(key)) return [];
    seen.add(key);
    return [
      [
        run.strategy,
        targetText(run),
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
  return [run.strategy, targetText(run), run.applicable ? reached(run) : "not applicable"];
}

/** The sparsity of a model, marked as in the charts where its target was not reached. */
function reached({ sparsity, met }: { readonly sparsity: number; readonly met: boolean }): string {
  return `${met ? "" : "○ "}${formatShare(sparsity, 1)}`;
}
