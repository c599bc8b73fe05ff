import { goalText, plural, searchTable, stepTexts } from "@espalier/report/text";
import type { SearchResult } from "@espalier/search";
import type { Colors } from "../context.ts";
import { headingLines, tableLines, textLines } from "./table.ts";

/** Result of a search: the goal, one table, and the recipe in words. */
export function searchLines(result: SearchResult, colors: Colors): string[] {
  const { header, chosen, candidates, trials } = result;
  const { caption, columns, rows } = searchTable(result);
  const width = chosen === undefined ? 0 : `${chosen.recipe.steps.length}`.length;
  return [
    ...headingLines(header.model.name, ` on ${header.data.name}: ${goalText(header.goal)}`, colors),
    "",
    ...tableLines([columns.map(({ label }) => colors.bold(label)), ...rows], { names: "wrap" }),
    "",
    ...textLines(caption).map(colors.dim),
    ...(chosen === undefined
      ? []
      : [
          "",
          ...stepTexts(chosen.recipe).flatMap((text, i) =>
            textLines(`${`${i + 1}`.padStart(width)}  ${text}`),
          ),
        ]),
    "",
    colors.dim(`${plural(candidates.length, "candidate")}, ${plural(trials.length, "fine-tuning")}`),
  ];
}

/** The same as data. */
export function searchJson(
  { ended, header, chosen, replaced, unmet, rivals, front, tests, allowed, candidates, trials }: SearchResult,
  files: { readonly model: string; readonly recipe: string; readonly report: string },
): object {
  const { model: _model, ...choice } = chosen ?? {};
  return {
    ...{ ended, goal: header.goal, dense: header.dense },
    ...(allowed !== undefined && { allowed }),
    ...(chosen && { chosen: choice }),
    ...{ replaced, unmet, rivals, front, tests },
    candidates: candidates.length,
    trials: trials.length,
    files: chosen === undefined ? { report: files.report } : files,
  };
}
