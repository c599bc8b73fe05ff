import { formatBytes, formatChange, formatShare, type Table } from "@espalier/report";
import { type Comparison, comparisonsOf, modelsOf, type Study, within } from "./comparisons.ts";
import { type Claim, changeText, countOf, outcomeText, sentence, verdictOf } from "./rule.ts";

/** A claim that pruned models are as good as dense ones. */
export interface ErrorRule {
  readonly says: string;
  readonly strategy: string;
  readonly sparsity: number;
  /** How much more error than the dense model's is allowed. */
  readonly tolerance: number;
}

/** Judges that every model of a study keeps its error. */
export function errorClaim(study: Study, { says, strategy, sparsity, tolerance }: ErrorRule): Claim {
  const all = comparisonsOf(study);
  const find = (model: string, tuned: boolean): Comparison | undefined =>
    all.find(
      (one) =>
        one.model === model && one.strategy === strategy && one.sparsity === sparsity && one.tuned === tuned,
    );
  const rows = modelsOf(study).map((model) => {
    const tuned = find(model, true);
    return { model, tuned, untuned: find(model, false), outcome: within(tuned, 1 + tolerance) };
  });
  const outcomes = rows.map(({ outcome }) => outcome);
  return {
    says,
    verdict: verdictOf(outcomes),
    rule: `${strategy}, ${formatShare(sparsity)} of the parameters zero or gone, fine-tuned: MSE at most ${formatShare(tolerance)} above the dense model's, in every model.`,
    because: sentence(countOf(outcomes, "models")),
    figures: rows.every(({ tuned, untuned }) => (tuned ?? untuned) === undefined)
      ? undefined
      : table(`${strategy}, ${formatShare(sparsity)} sparsity: MSE against the dense model's`, rows),
  };
}

interface Row {
  readonly model: string;
  readonly untuned: Comparison | undefined;
  readonly tuned: Comparison | undefined;
  readonly outcome: keyof typeof outcomeText;
}

function table(caption: string, rows: readonly Row[]): Table {
  const numbers = ["seeds", "size", "FLOPs", "pruned", "fine-tuned"];
  return {
    caption,
    columns: [
      { label: "model" },
      ...numbers.map((label) => ({ label, numeric: true })),
      { label: "within the bound" },
    ],
    rows: rows.map(({ model, untuned, tuned, outcome }) => {
      const any = tuned ?? untuned;
      if (any === undefined) return [model, "0", "", "", "", "", outcomeText[outcome]];
      const { counts, dense } = any.result;
      const size = counts.bytes.stored / dense.counts.bytes.stored;
      return [
        model,
        `${any.seeds}`,
        `${formatBytes(counts.bytes.stored)} (${formatChange(size)})`,
        formatChange(counts.flops.effective / dense.counts.flops.effective),
        untuned === undefined ? "" : changeText(untuned.ratio),
        tuned === undefined ? "" : changeText(tuned.ratio),
        outcomeText[outcome],
      ];
    }),
  };
}
