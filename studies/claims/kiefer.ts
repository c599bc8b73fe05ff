import { formatShare, rowsOf } from "@espalier/report";
import { type Comparison, comparisonsOf, modelsOf, type Study, within } from "./comparisons.ts";
import { errorClaim } from "./errors.ts";
import {
  type Claim,
  changeText,
  comparable,
  countOf,
  lossless,
  type Outcome,
  outcomeText,
  sentence,
  verdictOf,
} from "./rule.ts";
import { speedClaim } from "./timing.ts";

const [weights, channels] = ["unstructured", "structured"] as const;
/** Models that work on frequencies. */
const fourier: readonly string[] = ["Autoformer", "FEDformer"];
/** 0.8³: the density nearest to a half. */
const half = 0.488;

/** Findings of Kiefer et al. (arXiv 2412.12883), next to results of their study. */
export function kieferClaims(study: Study): Claim[] {
  const { sections } = rowsOf(study.untrained);
  return [
    errorClaim(study, {
      says: "About half of the weights can go without loss.",
      strategy: weights,
      sparsity: half,
      tolerance: lossless,
    }),
    fourierClaim(study),
    tuningClaim(study),
    negated(
      "“Even with corresponding hardware and software support, structured pruning is unable to provide significant time savings.”",
      speedClaim(sections, channels, "Speed-up of the sparsest structured model, dense = 1"),
    ),
    {
      ...speedClaim(sections, weights, "Speed-up of the sparsest masked model, dense = 1"),
      says: "Unstructured pruning was not timed: nothing ran sparse weights.",
      verdict: "not claimed, measured",
      rule: "No rule: there is no claim.",
    },
  ];
}

/** The claim that nothing gets faster, from one that all does. */
function negated(says: string, { verdict, ...rest }: Omit<Claim, "says">): Claim {
  const opposite = { holds: "does not hold", "does not hold": "holds" } as const;
  return {
    says,
    ...rest,
    verdict: verdict === "holds" || verdict === "does not hold" ? opposite[verdict] : verdict,
  };
}

/** How far a model can be pruned. */
interface Reach {
  readonly model: string;
  /** Whether the error is comparable, for each sparsity of the study. */
  readonly outcomes: readonly Outcome[];
  readonly furthest: Comparison | undefined;
}

function fourierClaim(study: Study): Claim {
  const reach = reachOf(study);
  const others = reach.filter(({ model }) => !fourier.includes(model));
  const whole = reach.every(({ outcomes }) => !outcomes.includes("missing"));
  const outcomes = reach
    .filter(({ model }) => fourier.includes(model))
    .map(({ furthest }): Outcome => {
      if (!whole) return "missing";
      return others.every((other) => (furthest?.sparsity ?? 0) > (other.furthest?.sparsity ?? 0))
        ? "yes"
        : "no";
    });
  return {
    says: "Models that work on frequencies (Autoformer, FEDformer) can lose far more than the others.",
    verdict: verdictOf(outcomes),
    rule: `Global magnitude, fine-tuned: the sparsest model whose MSE is at most ${formatShare(comparable)} above the dense one's is sparser than that of every model that does not work on frequencies. All densities of the study.`,
    because: sentence(countOf(outcomes, "models that work on frequencies")),
    figures: reach.every(({ outcomes: own }) => own.every((outcome) => outcome === "missing"))
      ? undefined
      : {
          caption: `Sparsest model within ${formatShare(comparable)} of the dense error, by global magnitude and fine-tuning`,
          columns: [
            { label: "model" },
            { label: "works on frequencies" },
            { label: "densities run in full", numeric: true },
            { label: "sparsity", numeric: true },
            { label: "MSE against dense", numeric: true },
          ],
          rows: reach.map(({ model, outcomes: own, furthest }) => [
            model,
            fourier.includes(model) ? "yes" : "no",
            `${own.filter((outcome) => outcome !== "missing").length} of ${own.length}`,
            furthest === undefined ? "" : formatShare(furthest.sparsity),
            furthest === undefined ? "" : changeText(furthest.ratio),
          ]),
        },
  };
}

function reachOf(study: Study): Reach[] {
  const all = comparisonsOf(study).filter(({ strategy, tuned }) => strategy === weights && tuned);
  return modelsOf(study).map((model) => {
    const own = sparsitiesOf(study).map((sparsity) =>
      all.find((one) => one.model === model && one.sparsity === sparsity),
    );
    const outcomes = own.map((one) => within(one, 1 + comparable));
    return { model, outcomes, furthest: own[outcomes.lastIndexOf("yes")] };
  });
}

function tuningClaim(study: Study): Claim {
  const all = comparisonsOf(study);
  const pairs = modelsOf(study).flatMap((model) =>
    [weights, channels].map((strategy) => ({
      model,
      strategy,
      cells: sparsitiesOf(study).map((sparsity) => {
        const find = (tuned: boolean) =>
          all.find(
            (one) =>
              one.model === model &&
              one.strategy === strategy &&
              one.sparsity === sparsity &&
              one.tuned === tuned,
          );
        const [before, after] = [find(false), find(true)];
        return { before, after, outcome: neededTuning(before, after) };
      }),
    })),
  );
  const outcomes = pairs.flatMap(({ cells }) => cells.map(({ outcome }) => outcome));
  return {
    says: "Fine-tuning is necessary.",
    verdict: verdictOf(outcomes),
    rule: `Both strategies, every density: without fine-tuning the MSE is more than ${formatShare(comparable)} above the dense one's, and with it lower than without, beyond both spreads.`,
    because: sentence(countOf(outcomes, "pruned models")),
    figures:
      all.length === 0
        ? undefined
        : {
            caption: "MSE against the dense model's, before → after fine-tuning",
            columns: [
              { label: "model" },
              { label: "strategy" },
              ...sparsitiesOf(study).map((sparsity) => ({ label: formatShare(sparsity), numeric: true })),
            ],
            rows: pairs.map(({ model, strategy, cells }) => [
              model,
              strategy,
              ...cells.map(({ before, after, outcome }) =>
                before === undefined || after === undefined
                  ? ""
                  : `${changeText(before.ratio)} → ${changeText(after.ratio)}${outcome === "missing" ? " (seeds missing)" : ` (${outcomeText[outcome]})`}`,
              ),
            ]),
          },
  };
}

function neededTuning(before: Comparison | undefined, after: Comparison | undefined): Outcome {
  const small = within(before, 1 + comparable);
  if (small === "missing" || !after?.counts) return "missing";
  // Where the error is small without it, it is not needed.
  if (small === "yes") return "no";
  if (small === "open") return "open";
  const [high, low] = [before!.ratio, after.ratio];
  if (low.mean + low.spread < high.mean - high.spread) return "yes";
  return low.mean - low.spread >= high.mean + high.spread ? "no" : "open";
}

/** Sparsities that the study asks for, ascending. */
function sparsitiesOf({ config }: Study): number[] {
  return config.targets.flatMap(({ sparsity }) => sparsity ?? []).sort((a, b) => a - b);
}
