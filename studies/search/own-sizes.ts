import { type Block, formatError, formatShare, paragraph, statOf, type Table } from "@espalier/report";
import type { ContestRun } from "./hypervolume.ts";

/** The way that runs every recipe of the gallery once, at its own size. */
export const ownSizes = "gallery, each at its own size";

/** For each of the gallery's recipes: the best that the search has at its size or below, in as much time as is said. */
export function ownSizesBlocks(runs: readonly ContestRun[]): Block[] {
  const subjectOf = ({ model, dataset, seconds }: ContestRun) => `${model}, ${dataset}, ${seconds}`;
  // One run says it: fixed recipes differ by their seed alone.
  const fixed = new Map(
    runs
      .filter(({ way }) => way === ownSizes)
      .toReversed()
      .map((run) => [subjectOf(run), run]),
  );
  return [...fixed.values()].flatMap((one): Block[] => {
    const searches = runs.filter((run) => run.way === "search" && subjectOf(run) === subjectOf(one));
    if (searches.length === 0) return [];
    return [
      paragraph(
        `Each of the gallery's recipes as it is in its file, on ${one.model} and ${one.dataset}; beside it, of the models that the search made in ${searches[0]!.seconds} s of one thread and that are no larger, the one with the least validation error (mean of ${searches.length} runs). Errors are relative to the dense model's.`,
      ),
      { kind: "table", table: ownSizesTable(one, searches) },
    ];
  });
}

function ownSizesTable(fixed: ContestRun, searches: readonly ContestRun[]): Table {
  const labels = [
    "bytes",
    "validation",
    "search: bytes",
    "validation",
    "test",
    "search: test",
    "runs better",
  ];
  return {
    caption: `Each of the gallery's recipes at its own size: ${fixed.model} on ${fixed.dataset}`,
    columns: [{ label: "recipe" }, ...labels.map((label) => ({ label, numeric: true }))],
    rows: fixed.made.map((recipe) => {
      const found = searches.flatMap((run) => {
        const [best] = run.made
          .filter(({ bytes }) => bytes <= recipe.bytes)
          .toSorted((a, b) => a.validation - b.validation);
        return best === undefined ? [] : [{ ...best, dense: run.dense }];
      });
      const mean = (of: (one: (typeof found)[number]) => number) => statOf(found.map(of)).mean;
      const better = found.filter(
        ({ validation, dense }) => validation / dense.validation < recipe.validation / fixed.dense.validation,
      );
      return [
        recipe.label ?? "",
        formatShare(recipe.bytes),
        formatError(recipe.validation / fixed.dense.validation),
        found.length === 0 ? "–" : formatShare(mean(({ bytes }) => bytes)),
        found.length === 0 ? "–" : formatError(mean((one) => one.validation / one.dense.validation)),
        formatError(recipe.test / fixed.dense.test),
        found.length === 0 ? "–" : formatError(mean((one) => one.test / one.dense.test)),
        `${better.length} of ${searches.length}`,
      ];
    }),
  };
}
