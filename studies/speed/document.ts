import { labelOf } from "@espalier/bench";
import {
  type Block,
  type Document,
  formatBytes,
  formatErrorStat,
  formatShare,
  formatSpeedup,
  formatTime,
  paragraph,
  statOf,
  type Table,
} from "@espalier/report";
import { entryOf } from "../peers/results.ts";
import { contenders, fastestIn } from "./fastest.ts";
import { excessOf, type Findings, flopsOf, forecastsAsWell, type Outcome } from "./outcomes.ts";
import type { SpeedStudy } from "./results.ts";

/** Results of the studies on speed at equal error, as a page. */
export function speedDocument(studies: readonly SpeedStudy[]): Document {
  const machines = [
    ...new Set(
      studies.map(({ times: { environment } }) => `${environment.processor}, ${environment.cores} cores`),
    ),
  ];
  const hasty = studies.some(({ times }) => times.settings.rounds < 7);
  return {
    title: "Speed at equal error",
    lead: `How many times as fast is a pruned model that forecasts no worse than its dense one? Times: ${machines.join("; ")}; one thread, models of the first seed and all runtimes taking turns in one process, medians over rounds.${hasty ? " So few rounds are for trying out, not for quoting." : ""}`,
    blocks: [
      paragraph(
        "The dense model is trained, then trained on for as long as the pruned ones are tuned, at the rate that is best on validation data: that is the reference. Of the pruned models whose MSE on validation data, mean over the seeds that have run, is at most the reference's with the same seeds, the fastest counts at each batch size. Test errors decided nothing.",
      ),
      { kind: "table", table: speedTable(studies) },
      { kind: "table", table: errorTable(studies) },
      ...studies.flatMap(studyBlocks),
      paragraph("To repeat a study, and the page:"),
      {
        kind: "code",
        language: "sh",
        text: "npx -y pnpm@12 sweep studies/speed/itransformer-etth1.yaml --only train,prune --out runs/speed-itransformer-etth1\nnpx -y pnpm@12 bench:speed --runs runs",
      },
    ],
  };
}

function errorTable(studies: readonly SpeedStudy[]): Table {
  return {
    caption: "Test MSE, every window of the test split",
    columns: [
      { label: "model" },
      { label: "batch", numeric: true },
      { label: "the fastest model that is as good" },
      ...["seeds", "trained", "trained on", "pruned", "file", "FLOPs"].map((label) => ({
        label,
        numeric: true,
      })),
    ],
    rows: studies.flatMap(({ findings, times }) =>
      times.runs.map((run) => {
        const best = fastestIn(findings, run)?.outcome;
        const dense = statOf(findings.dense.map(({ result }) => result.test.mse));
        const head = [titleOf(findings), `${run.batch}`];
        if (best === undefined)
          return [
            ...head,
            nearestText(findings),
            `${findings.reference.records.length}`,
            formatErrorStat(dense),
            formatErrorStat(findings.reference.test),
            "",
            "",
            "",
          ];
        return [
          ...head,
          best.recipe,
          `${best.records.length}`,
          formatErrorStat(dense),
          formatErrorStat(findings.reference.test),
          formatErrorStat(best.test),
          ...sizesIn(best),
        ];
      }),
    ),
  };
}

function speedTable(studies: readonly SpeedStudy[]): Table {
  return {
    caption: "How many times as fast as",
    columns: [
      { label: "model" },
      { label: "batch", numeric: true },
      { label: "time", numeric: true },
      ...contenders.map(({ label }) => ({ label, numeric: true })),
    ],
    rows: studies.flatMap(({ findings, times }) =>
      times.runs.flatMap((run) => {
        const best = fastestIn(findings, run);
        if (best === undefined) return [];
        return [
          [
            titleOf(findings),
            `${run.batch}`,
            formatTime(best.milliseconds),
            ...best.speedups.map((speedup) => (speedup === undefined ? "" : formatSpeedup(speedup))),
          ],
        ];
      }),
    ),
  };
}

/** Where no pruned model is as good: which comes nearest, by how much. */
function nearestText(findings: Findings): string {
  const byExcess = findings.pruned.map((outcome) => ({ outcome, excess: excessOf(outcome, findings) }));
  const { outcome, excess } = byExcess.sort((a, b) => a.excess - b.excess)[0]!;
  return `none; nearest: ${outcome.recipe}, +${formatShare(excess, 1)} on validation data`;
}

function titleOf({ dense }: Findings): string {
  const { model, data } = dense[0]!.cell;
  return `${labelOf(model)} on ${data.dataset}`;
}

function studyBlocks({ findings, times }: SpeedStudy): Block[] {
  const { cell } = findings.dense[0]!;
  const all = [findings.reference, ...findings.pruned];
  return [
    { kind: "heading", level: 2, text: titleOf(findings) },
    {
      kind: "table",
      table: {
        caption: `Every recipe on ${cell.data.dataset}, ${cell.data.inputLength} → ${cell.data.horizon}`,
        columns: [
          { label: "recipe" },
          ...["seeds", "validation MSE", "test MSE", "file", "FLOPs"].map((label) => ({
            label,
            numeric: true,
          })),
          { label: "as good as the reference" },
          ...times.runs.map(({ batch }) => ({ label: `time, batch ${batch}`, numeric: true })),
        ],
        rows: all.map((outcome) => [
          outcome.recipe,
          `${outcome.records.length}`,
          formatErrorStat(outcome.validation),
          formatErrorStat(outcome.test),
          ...sizesIn(outcome),
          outcome === findings.reference
            ? "the reference"
            : forecastsAsWell(outcome, findings)
              ? "yes"
              : "no",
          ...times.runs.map((run) => {
            const entry = entryOf(run, "wasm", outcome === findings.reference ? "dense" : outcome.recipe);
            return entry === undefined ? "" : formatTime(entry.timing.median);
          }),
        ]),
      },
    },
  ];
}

/** Size of the file, and FLOPs, with the share of the dense model's that is left. */
function sizesIn(outcome: Outcome): string[] {
  const { counts, dense } = outcome.records[0]!.result;
  const bytes = counts.bytes.stored;
  return [
    `${formatBytes(bytes)} (${formatShare(bytes / dense.counts.bytes.stored, 1)})`,
    formatShare(flopsOf(outcome) / dense.counts.flops.effective, 1),
  ];
}
