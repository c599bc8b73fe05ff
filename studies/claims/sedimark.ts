import { labelOf } from "@espalier/bench";
import { account } from "@espalier/core";
import { sedimarkCrossformer } from "@espalier/models";
import { formatShare, formatShort, rowsOf, type Table } from "@espalier/report";
import type { Study } from "./comparisons.ts";
import { type ErrorRule, errorClaim } from "./errors.ts";
import { type Claim, comparable } from "./rule.ts";
import { speedClaim } from "./timing.ts";

const [structured, both, weights] = ["channel", "combined", "unstructured (WSAP)"] as const;

/** Errors published by SEDIMARK. */
const errors: readonly ErrorRule[] = [
  {
    says: "Structured pruning alone makes the model about 50 % smaller at comparable error.",
    strategy: structured,
    sparsity: 0.5,
    tolerance: comparable,
  },
  {
    says: "Structured and unstructured pruning together make it up to 80 % smaller at comparable error.",
    strategy: both,
    sparsity: 0.8,
    tolerance: comparable,
  },
  {
    says: "Unstructured pruning by weight statistics (WSAP), at its published ratios, keeps the error.",
    strategy: weights,
    sparsity: 0.5,
    tolerance: comparable,
  },
];

/** Share of dead parameters from which on a model counts as partly dead. */
const dead = 0.01;

/** Results of pruning published by SEDIMARK, next to results of its study. */
export function sedimarkClaims(study: Study): Claim[] {
  return [
    ...errors.map((rule) => errorClaim(study, rule)),
    deadClaim(study),
    {
      ...speedClaim(rowsOf(study.untrained).sections, both, "Speed-up of the combined model, dense = 1"),
      says: "Time was not published.",
      verdict: "not claimed, measured",
      rule: "No rule: there is no claim.",
    },
  ];
}

/** Nothing published says that parts of the model are dead: it follows from its graph, whatever the training. */
function deadClaim(study: Study): Claim {
  const variants = (["asPublished", "connected"] as const).map((variant) => {
    const { graph } = sedimarkCrossformer({ variant });
    const counts = account({ graph, tensors: new Map(), masks: new Map() }).parameters;
    return { variant, ...counts };
  });
  const [published] = variants;
  const share = published!.dead / published!.total;
  return {
    says: "The share of parameters removed is a share of the model that forecasts.",
    verdict: share < dead ? "holds" : "does not hold",
    rule: `By the graph alone, at the published widths, without training: of the model as its code executes it, less than ${formatShare(dead)} of the parameters reach no output.`,
    because: `${formatShort(published!.dead)} of ${formatShort(published!.total)} parameters (${formatShare(share)}) reach no output: the decoder reads the embedding only, so no encoder block does. What is removed there costs no error.`,
    figures: deadTable(study, variants),
  };
}

function deadTable(
  study: Study,
  variants: readonly { readonly variant: string; readonly total: number; readonly dead: number }[],
): Table {
  const { sections } = rowsOf(study.untrained);
  const rows = variants.flatMap(({ variant, total, dead: none }) => {
    const model = labelOf(study.config.models.find((one) => one.variant === variant)!);
    const live = total - none;
    const pruned = [structured, weights, both].flatMap((strategy) => {
      const found = sections
        .find((section) => section.model === model)
        ?.runs.find((run) => run.strategy === strategy && run.asked === 0.8);
      if (found === undefined) return [];
      const { nonzero, deadNonzero } = found.size.parameters;
      const kept = nonzero - deadNonzero;
      return [
        [
          model,
          `${strategy}, 80 %`,
          formatShort(kept),
          formatShort(deadNonzero),
          formatShare(1 - kept / live),
          formatShare(1 - nonzero / total),
        ],
      ];
    });
    return [[model, "dense", formatShort(live), formatShort(none), "", ""], ...pruned];
  });
  return {
    caption: "Parameters kept, live and dead",
    columns: [
      { label: "model" },
      { label: "" },
      ...["live", "dead", "gone of the live", "gone of all"].map((label) => ({ label, numeric: true })),
    ],
    rows,
  };
}
