import { formatRecipe, type Recipe } from "@espalier/recipe";
import {
  type Findings,
  type Finished,
  isFinished,
  longestOf,
  type Measured,
  modelName,
  partialRankCorrelation,
  rankCorrelation,
} from "@espalier/search";
import { type SearchChart, searchFront } from "../charts/search-front.ts";
import type { Block, Document } from "../document.ts";
import type { Figure } from "../figure.ts";
import { formatChange, formatError, formatShare, plural } from "../numbers.ts";
import { stepTexts } from "../steps.ts";
import type { Table } from "../table.ts";
import { traitsOf } from "./common.ts";
import { fixedName, goalText, searchTable } from "./table.ts";

/** The page of a search: what was chosen, what fixed recipes reach, and everything that was tried. */
export function searchDocument(result: Findings, title = "Search"): Document {
  const { header, candidates, chosen, unmet, replaced = [] } = result;
  const best = bestOf(result);
  const traits = chosen === undefined ? [] : traitsOf(result, best);
  return {
    title,
    lead: `${header.model.name} on ${header.data.name}: ${goalText(header.goal)}.`,
    blocks: [
      heading("In short"),
      ...(chosen === undefined
        ? [paragraph(`${unmet === undefined ? "The search was stopped" : unmet.why}.`)]
        : [{ kind: "table", table: searchTable(result) } as const]),
      ...(replaced.length === 0
        ? []
        : [
            paragraph(
              `Replaced because they missed the goal on the mean of their seeds: candidates ${replaced.join(", ")}.`,
            ),
          ]),
      ...(chosen === undefined ? [] : recipeBlocks(chosen.recipe)),
      heading("Everything that was tried"),
      ...searchFigures(result).map((figure): Block => ({ kind: "figure", figure })),
      ...(result.front.length === 0 ? [] : [{ kind: "table", table: frontTable(result) } as const]),
      heading("What the best have in common"),
      ...(traits.length === 0
        ? [paragraph("Nothing that sets them apart from the others.")]
        : [{ kind: "table", table: traitTable(traits, best.length) } as const]),
      heading("How the search went"),
      paragraph(course(result)),
      {
        kind: "details",
        summary: "Every candidate",
        blocks: [{ kind: "table", table: candidateTable(result) }],
      },
      ...(candidates.some(({ error }) => error !== undefined)
        ? [
            {
              kind: "details",
              summary: "Recipes that cannot be carried out",
              blocks: [
                {
                  kind: "list",
                  items: candidates.flatMap(({ candidate, error }) =>
                    error === undefined ? [] : [`Candidate ${candidate}: ${error}`],
                  ),
                },
              ],
            } as const,
          ]
        : []),
    ],
  };
}

function heading(text: string): Block {
  return { kind: "heading", level: 2, text };
}

function paragraph(text: string): Block {
  return { kind: "paragraph", text };
}

function recipeBlocks(recipe: Recipe): Block[] {
  return [
    { kind: "list", items: stepTexts(recipe) },
    { kind: "code", language: "yaml", text: formatRecipe(recipe).trimEnd() },
  ];
}

/** The longest trial of every candidate. */
function longest({ trials }: Findings): Finished[] {
  return longestOf(trials.filter(isFinished));
}

/** The best quarter of the candidates that were promoted at least once, and no fewer than three. */
export function bestOf(result: Findings): Finished[] {
  const { header, allowed } = result;
  const { minimize } = header.goal;
  const value = ({ result: r }: Finished) =>
    minimize === "error" ? r.validation.mse : minimize === "latency" ? r.latency!.share : r[minimize];
  const excess = ({ result: r }: Finished) =>
    allowed === undefined ? 0 : Math.max(0, Math.log(r.validation.mse / allowed));
  const ranked = longest(result)
    .filter(({ rung }) => rung > 0)
    .toSorted((a, b) => excess(a) - excess(b) || value(a) - value(b));
  return ranked.slice(0, Math.max(3, Math.ceil(ranked.length / 4)));
}

function frontTable({ front, tests, chosen, header }: Findings): Table {
  const tested = new Map(tests.map((test) => [test.model, test.mse]));
  return {
    caption: "The front: no smaller model has less validation error. One seed each.",
    columns: [
      { label: "candidate", numeric: true },
      { label: "bytes", numeric: true },
      { label: "FLOPs", numeric: true },
      { label: "epochs", numeric: true },
      { label: "validation", numeric: true },
      { label: "against dense", numeric: true },
      ...(tests.length === 0 ? [] : [{ label: "test", numeric: true }]),
      { label: "recipe" },
    ],
    rows: front.map((trial) => [
      `${trial.of}${trial.of === chosen?.candidate ? " (chosen)" : ""}`,
      formatShare(trial.result.bytes, 2),
      formatShare(trial.result.flops, 2),
      `${trial.epochs}`,
      formatError(trial.result.validation.mse),
      formatChange(trial.result.validation.mse / header.dense.validation.mse),
      ...(tests.length === 0 ? [] : [testText(tested.get(modelName(trial)))]),
      stepTexts(trial.recipe).join("; "),
    ]),
  };
}

function testText(mse: number | undefined): string {
  return mse === undefined ? "" : formatError(mse);
}

function candidateTable(result: Findings): Table {
  const trials = new Map(longest(result).map((trial) => [trial.of, trial]));
  return {
    caption: "In the order in which they were made; the error is that of the longest fine-tuning.",
    columns: [
      { label: "candidate", numeric: true },
      { label: "from" },
      { label: "one-shot", numeric: true },
      { label: "epochs", numeric: true },
      { label: "validation", numeric: true },
      { label: "bytes", numeric: true },
      { label: "point" },
    ],
    rows: result.candidates.map(({ candidate, from, oneShot, point }) => {
      const trial = trials.get(candidate);
      return [
        `${candidate}`,
        { model: "estimator", limit: "size at the limit" }[from] ?? from,
        oneShot === undefined ? "impossible" : formatError(oneShot),
        trial === undefined ? "" : `${trial.epochs}`,
        trial === undefined ? "" : formatError(trial.result.validation.mse),
        trial === undefined ? "" : formatShare(trial.result.bytes, 2),
        Object.entries(point)
          .map(([name, value]) => `${name} ${value}`)
          .join(", "),
      ];
    }),
  };
}

function traitTable(traits: ReturnType<typeof traitsOf>, best: number): Table {
  return {
    caption: `Decisions that most of the ${best} best recipes share, and clearly more of them than of all. Correlation, not proof: the search favours what worked before.`,
    columns: [{ label: "decision" }, { label: "value" }, { label: "of the best" }, { label: "of all" }],
    rows: traits.map(({ parameter, value, best: some, all }) => [parameter, value, some, all]),
  };
}

/** Error against bytes, FLOPs and, if it was measured, time: every candidate, the front, the choice, the limit. */
export function searchFigures(result: Findings): Figure[] {
  const all = longest(result);
  if (all.length === 0) return [];
  const { header, allowed, chosen, trials, rivals = [] } = result;
  const axes = [
    { key: "bytes", axis: "bytes as stored, relative to the dense model" },
    { key: "flops", axis: "FLOPs, relative to the dense model" },
    ...(header.dense.latency === undefined
      ? []
      : [{ key: "latency", axis: "time per call, relative to the dense model" } as const]),
  ] as const;
  const top = Math.max(...trials.map(({ epochs }) => epochs));
  const sizeOf = (measured: Measured, key: (typeof axes)[number]["key"]) =>
    key === "latency" ? measured.latency!.share : measured[key];
  return axes.map(({ key, axis }): Figure => {
    const fixed = rivals.filter((trial) => trial.result !== undefined);
    const points = [
      ...all.map((trial) => ({
        x: sizeOf(trial.result, key),
        y: trial.result.validation.mse,
        kind: plural(trial.epochs, "epoch"),
        text: [
          `candidate ${trial.of}: MSE ${formatError(trial.result.validation.mse)}, ${formatShare(sizeOf(trial.result, key), 2)}`,
          ...stepTexts(trial.recipe),
        ].join("\n"),
      })),
      ...fixed.map((trial) => ({
        x: sizeOf(trial.result!, key),
        y: trial.result!.validation.mse,
        kind: "fixed recipe",
        text: fixedName(trial),
      })),
    ];
    const kinds = [...new Set(all.map(({ epochs }) => epochs))].sort((a, b) => b - a);
    const front = frontBy(all, (trial) => sizeOf(trial.result, key));
    const chart: SearchChart = {
      title: `Error against ${key === "flops" ? "FLOPs" : key === "bytes" ? "size" : "time"}`,
      section: `${header.model.name} on ${header.data.name}, ${goalText(header.goal)}`,
      axis,
      points,
      kinds: [...kinds.map((n) => plural(n, "epoch")), ...(fixed.length === 0 ? [] : ["fixed recipe"])],
      front,
      chosen: chosen && { x: sizeOf(chosen.mean, key), y: chosen.mean.validation.mse },
      levels: [
        { y: header.dense.validation.mse, label: "dense" },
        ...(allowed === undefined || allowed === header.dense.validation.mse
          ? []
          : [{ y: allowed, label: "limit" }]),
      ],
      top: topOf(
        points.map(({ y }) => y),
        header.dense.validation.mse,
        allowed,
      ),
    };
    return {
      name: `error-${key}`,
      title: chart.title,
      spec: searchFront(chart),
      alt: `${all.length} models by validation MSE and ${axis}. Front: ${front
        .map(({ x, y }) => `${formatShare(x, 2)}, MSE ${formatError(y)}`)
        .join("; ")}.`,
      caption: `Each mark is one candidate after its longest fine-tuning, at most ${plural(top, "epoch")}; a pointer that rests on it shows its recipe.`,
    };
  });
}

/** Upper end of the axis: interesting points are near the limit, but failures may be far above. */
function topOf(errors: readonly number[], dense: number, allowed: number | undefined): number {
  const high = Math.max(dense, allowed ?? 0);
  return Math.min(Math.max(...errors, high), 1.15 * Math.max(high, Math.min(...errors))) * 1.01;
}

function frontBy(trials: readonly Finished[], size: (trial: Finished) => number): { x: number; y: number }[] {
  let least = Number.POSITIVE_INFINITY;
  return trials
    .map((trial) => ({ x: size(trial), y: trial.result.validation.mse }))
    .toSorted((a, b) => a.x - b.x || a.y - b.y)
    .filter(({ y }) => {
      const better = y < least;
      least = Math.min(least, y);
      return better;
    });
}

/** Summary of the work, and of how well one-shot errors predicted the outcome. */
function course(result: Findings): string {
  const { candidates, trials, header } = result;
  const tuned = longest(result);
  const by = new Map(candidates.map((candidate) => [candidate.candidate, candidate]));
  const oneShot = tuned.map(({ of }) => by.get(of)!.oneShot!);
  const errors = tuned.map(({ result: r }) => r.validation.mse);
  const sizes = tuned.map(({ result: r }) => r.bytes);
  const whole = rankCorrelation(oneShot, errors);
  const within = partialRankCorrelation(oneShot, errors, sizes);
  const seconds = [...candidates, ...trials].reduce((sum, record) => sum + record.seconds, 0);
  const proposals = candidates.reduce((sum, { others }) => sum + 1 + others.length, 0);
  const correlations = Number.isFinite(whole)
    ? ` The rank correlation between the one-shot error and the error after the longest fine-tuning is ${whole.toFixed(2)} over ${tuned.length} candidates${Number.isFinite(within) ? `, ${within.toFixed(2)} at equal size` : ""}.`
    : "";
  return `${plural(proposals, "point")} were tried in one shot, ${plural(tuned.length, "candidate")} were tuned in ${plural(trials.length, "run")} of up to ${plural(Math.max(0, ...trials.map(({ epochs }) => epochs)), "epoch")}, ${Math.round(seconds / 60)} minutes in all. Seed ${header.settings.seed}, backend ${header.settings.backend}.${correlations}`;
}
