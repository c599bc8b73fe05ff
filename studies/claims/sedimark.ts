import type { ResultRecord } from "@espalier/bench";
import { account } from "@espalier/core";
import { sedimarkCrossformer } from "@espalier/models";
import {
  formatBytes,
  formatChange,
  formatError,
  formatShare,
  formatShort,
  rowsOf,
  type Section,
  type Table,
} from "@espalier/report";
import { type Claim, changeText, comparable, countOf, errorRatio, runAt, verdictOf } from "./claim.ts";
import { gainsOf, gainsText, speedupTable } from "./timing.ts";

const [structured, both, weights] = ["channel", "combined", "unstructured (WSAP)"];

/** What SEDIMARK published of its pruning, beside results of the preset `sedimark`. */
export function sedimarkClaims(records: readonly ResultRecord[]): Claim[] {
  const { sections } = rowsOf(records);
  return [
    sizeClaim(
      sections,
      structured!,
      0.5,
      "Structured pruning alone makes the model about 50 % smaller at comparable error.",
    ),
    sizeClaim(
      sections,
      both!,
      0.8,
      "Structured and unstructured pruning together make it up to 80 % smaller at comparable error.",
    ),
    sizeClaim(
      sections,
      weights!,
      0.5,
      "Unstructured pruning by weight statistics (WSAP), at its published ratios, keeps the error.",
    ),
    deadClaim(sections),
    timeClaim(sections),
  ];
}

function sizeClaim(sections: readonly Section[], strategy: string, sparsity: number, says: string): Claim {
  const found = sections.flatMap((section) => {
    const run = runAt(section, strategy, sparsity, true);
    return run === undefined ? [] : [{ section, run, untuned: runAt(section, strategy, sparsity, false) }];
  });
  const outcomes = found.map(({ section, run }) => errorRatio(section, run) <= 1 + comparable);
  return {
    says,
    verdict: verdictOf(outcomes),
    because: `After fine-tuning the error is within ${formatShare(comparable)} of the dense model's in ${countOf(outcomes, "variants")}.`,
    figures: {
      caption: `${strategy}, ${formatShare(sparsity)} of the parameters zero or gone`,
      columns: [
        { label: "model" },
        ...["size", "FLOPs", "dense MSE", "pruned", "fine-tuned", "against dense"].map((label) => ({
          label,
          numeric: true,
        })),
      ],
      rows: found.map(({ section, run, untuned }) => {
        const { size, errors } = section.dense;
        return [
          section.model,
          `${formatBytes(run.size.bytes.stored)} (${formatChange(run.size.bytes.stored / size.bytes.stored)})`,
          formatChange(run.size.flops.effective / size.flops.effective),
          formatError(errors.mse.mean),
          untuned === undefined ? "" : formatError(untuned.after.mse.mean),
          formatError(run.after.mse.mean),
          changeText(errorRatio(section, run)),
        ];
      }),
    },
  };
}

/** Nothing published says that parts of the model are dead: it follows from its graph. */
function deadClaim(sections: readonly Section[]): Claim {
  const dead = sections.map(({ dense }) => dense.size.parameters.dead / dense.size.parameters.total);
  const largest = Math.max(0, ...dead);
  return {
    says: "The share of parameters removed is a share of the model that forecasts.",
    verdict: verdictOf(dead.map((share) => share < 0.01)),
    because: `As published, ${formatShare(largest)} of the parameters reach no output: the decoder reads the embedding only, so no encoder block does. At the published widths it is ${publishedDead()}. What is removed there costs no error.`,
    figures: deadTable(sections),
  };
}

/** Of the model as its code has it by default. */
function publishedDead(): string {
  const { graph } = sedimarkCrossformer({ variant: "asPublished" });
  const { total, dead } = account({ graph, tensors: new Map(), masks: new Map() }).parameters;
  return `${formatShort(dead)} of ${formatShort(total)} (${formatShare(dead / total)})`;
}

function deadTable(sections: readonly Section[]): Table {
  const rows = sections.flatMap((section) => {
    const { parameters } = section.dense.size;
    const dense = [
      section.model,
      "dense",
      formatShort(parameters.total - parameters.dead),
      formatShort(parameters.dead),
      "",
    ];
    const pruned = [structured!, weights!, both!].flatMap((strategy) => {
      const run = runAt(section, strategy, 0.8, true);
      if (run === undefined) return [];
      const { nonzero, deadNonzero } = run.size.parameters;
      const live = nonzero - deadNonzero;
      return [
        [
          section.model,
          `${strategy}, 80 %`,
          formatShort(live),
          formatShort(deadNonzero),
          formatChange(live / (parameters.total - parameters.dead)),
        ],
      ];
    });
    return [dense, ...pruned];
  });
  return {
    caption: "Parameters kept, live and dead",
    columns: [
      { label: "model" },
      { label: "" },
      { label: "live", numeric: true },
      { label: "dead", numeric: true },
      { label: "live against dense", numeric: true },
    ],
    rows,
  };
}

function timeClaim(sections: readonly Section[]): Claim {
  const gains = gainsOf(sections, both!);
  return {
    says: "Time was not published.",
    verdict: "not claimed, measured",
    because: `Combined pruning at its sparsest timed model is faster, beyond the spread, in ${gainsText(gains)}.`,
    figures: speedupTable(sections, both!, "Speed-up of the combined model, dense = 1"),
  };
}
