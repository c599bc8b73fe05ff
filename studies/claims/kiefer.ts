import type { ResultRecord } from "@espalier/bench";
import { formatError, formatShare, type RunRow, rowsOf, type Section, type Table } from "@espalier/report";
import {
  type Claim,
  changeText,
  comparable,
  countOf,
  errorRatio,
  faster,
  lossless,
  runAt,
  verdictOf,
} from "./claim.ts";
import { gainsOf, gainsText, speedupTable } from "./timing.ts";

const [weights, channels] = ["unstructured", "structured"] as const;
/** Models that work on frequencies. */
const fourier: readonly string[] = ["Autoformer", "FEDformer"];
/** 0.8³: the density nearest to a half. */
const half = 0.488;

/** What Kiefer et al. (arXiv 2412.12883) found, beside results of the preset `kiefer`. */
export function kieferClaims(records: readonly ResultRecord[]): Claim[] {
  const { sections } = rowsOf(records);
  return [
    halfClaim(sections),
    fourierClaim(sections),
    tuningClaim(sections),
    timeClaim(sections),
    sparseTimeClaim(sections),
  ];
}

function halfClaim(sections: readonly Section[]): Claim {
  const outcomes = sections.map((section) => {
    const run = runAt(section, weights, half, true);
    return run !== undefined && errorRatio(section, run) <= 1 + lossless;
  });
  return {
    says: "About half of the weights can go without loss.",
    verdict: verdictOf(outcomes),
    because: `With ${formatShare(half)} of the parameters masked by global magnitude, and fine-tuning, the error is within ${formatShare(lossless)} of the dense model's in ${countOf(outcomes, "models")}.`,
    figures: errorTable(sections, weights, half),
  };
}

function fourierClaim(sections: readonly Section[]): Claim {
  const reach = sections.map((section) => ({ section, run: sparsestWithin(section, weights) }));
  const of = (is: boolean) =>
    reach.filter(({ section }) => fourier.includes(section.model) === is).map(({ run }) => run?.asked ?? 0);
  const [theirs, others] = [of(true), of(false)];
  const outcomes = theirs.map((sparsity) => others.every((other) => sparsity > other));
  return {
    says: "Models that work on frequencies (Autoformer, FEDformer) can lose far more than the others.",
    verdict: verdictOf(outcomes),
    because: `Ranked by the sparsest model within ${formatShare(comparable)} of the dense error after fine-tuning, ${countOf(outcomes, "of them")} go further than every other model.`,
    figures: {
      caption: `Sparsest model within ${formatShare(comparable)} of the dense error, by global magnitude and fine-tuning`,
      columns: [
        { label: "model" },
        { label: "works on frequencies" },
        { label: "sparsity", numeric: true },
        { label: "MSE against dense", numeric: true },
      ],
      rows: reach.map(({ section, run }) => [
        section.model,
        fourier.includes(section.model) ? "yes" : "no",
        run === undefined ? "none of those tried" : formatShare(run.sparsity),
        run === undefined ? "" : changeText(errorRatio(section, run)),
      ]),
    },
  };
}

function tuningClaim(sections: readonly Section[]): Claim {
  const all = sections.flatMap((section) =>
    [weights, channels].flatMap((strategy) =>
      sparsitiesOf(section).flatMap((sparsity) => {
        const [before, after] = [
          runAt(section, strategy, sparsity, false),
          runAt(section, strategy, sparsity, true),
        ];
        return before === undefined || after === undefined
          ? []
          : [{ section, strategy, sparsity, before, after }];
      }),
    ),
  );
  // Where the error is small without it, it is not needed.
  const outcomes = all.map(
    ({ section, before, after }) =>
      errorRatio(section, before) > 1 + comparable && after.after.mse.mean < before.after.mse.mean,
  );
  return {
    says: "Fine-tuning is necessary.",
    verdict: verdictOf(outcomes),
    because: `Without it the error is more than ${formatShare(comparable)} above the dense one, and lower with it, in ${countOf(outcomes, "pruned models")}.`,
    figures: {
      caption: "MSE against the dense model's, before → after fine-tuning",
      columns: [
        { label: "model" },
        { label: "strategy" },
        ...sparsitiesOf(sections[0]).map((sparsity) => ({ label: formatShare(sparsity), numeric: true })),
      ],
      rows: sections.flatMap((section) =>
        [weights, channels].map((strategy) => [
          section.model,
          strategy,
          ...sparsitiesOf(section).map((sparsity) => {
            const found = all.find(
              (one) => one.section === section && one.strategy === strategy && one.sparsity === sparsity,
            );
            if (found === undefined) return "";
            return `${changeText(errorRatio(section, found.before))} → ${changeText(errorRatio(section, found.after))}`;
          }),
        ]),
      ),
    },
  };
}

function timeClaim(sections: readonly Section[]): Claim {
  const gains = gainsOf(sections, channels);
  return {
    says: "“Even with corresponding hardware and software support, structured pruning is unable to provide significant time savings.”",
    verdict: verdictOf(gains.outcomes.map((gain) => !gain)),
    because: `The sparsest structured model that was timed is more than ${faster} times as fast as the dense one, beyond the spread, in ${gainsText(gains)}. (The study: CUDA, batch 3.)`,
    figures: speedupTable(sections, channels, "Speed-up of the sparsest structured model, dense = 1"),
  };
}

function sparseTimeClaim(sections: readonly Section[]): Claim {
  const gains = gainsOf(sections, weights);
  return {
    says: "Unstructured pruning was not timed: nothing ran sparse weights.",
    verdict: "not claimed, measured",
    because: `The sparsest masked model that was timed is more than ${faster} times as fast as the dense one, beyond the spread, in ${gainsText(gains)}. Only wasm skips zeros.`,
    figures: speedupTable(sections, weights, "Speed-up of the sparsest masked model, dense = 1"),
  };
}

function errorTable(sections: readonly Section[], strategy: string, sparsity: number): Table {
  return {
    caption: `${strategy}, ${formatShare(sparsity)} sparsity`,
    columns: [
      { label: "model" },
      ...["dense MSE", "pruned", "against dense", "fine-tuned", "against dense"].map((label) => ({
        label,
        numeric: true,
      })),
    ],
    rows: sections.map((section) => [
      section.model,
      formatError(section.dense.errors.mse.mean),
      ...[false, true].flatMap((tuned) => {
        const run = runAt(section, strategy, sparsity, tuned);
        return run === undefined
          ? ["", ""]
          : [formatError(run.after.mse.mean), changeText(errorRatio(section, run))];
      }),
    ]),
  };
}

function sparsestWithin(section: Section, strategy: string): RunRow | undefined {
  return sparsitiesOf(section)
    .map((sparsity) => runAt(section, strategy, sparsity, true))
    .findLast((run) => run !== undefined && errorRatio(section, run) <= 1 + comparable);
}

function sparsitiesOf(section: Section | undefined): number[] {
  return [...new Set(section?.runs.map(({ asked }) => asked))].sort((a, b) => a - b);
}
