import type { Recipe, RecipeEvent, RunCheckpoint } from "@espalier/recipe";
import { formatShare, stepTexts } from "@espalier/report/text";
import type { Context } from "../context.ts";
import type { Bar } from "../output/progress.ts";
import { type ShownFit, showEvaluation, showFit } from "./fitting.ts";
import { showSearch } from "./search.ts";

/** Shows a run of a recipe: a line for each step (if there are several) and each epoch, and a bar for slow work. */
export function showRun(
  recipe: Recipe,
  { bar, context, resume }: { readonly bar: Bar; readonly context: Context; readonly resume?: RunCheckpoint },
): (event: RecipeEvent) => void {
  const texts = stepTexts(recipe);
  const several = texts.length > 1;
  const calibration = showEvaluation(bar, "calibrate");
  let search = showSearch(bar);
  let shown: ShownFit | undefined;
  return (event) => {
    const { kind, step } = event;
    if (kind === "started") {
      const from = event.epoch === 0 ? "" : `, from epoch ${event.epoch + 1} on`;
      if (several) bar.line(`step ${step + 1} of ${event.of}: ${texts[step]}${from}`);
      search = showSearch(bar);
      shown = fitOf(recipe, step, event.epoch > 0 ? resume : undefined);
    } else if (kind === "tried") search(event.tried);
    else if (kind === "planned") {
      const { target } = event.plan;
      if (several && target !== undefined && !target.met)
        bar.line(`nearest possible: ${target.metric} ${formatShare(target.achieved, 1)}`);
    } else if (kind === "layer") {
      const { layer, done, total } = event;
      bar.update({ label: "reconstruct", share: done / total, detail: layer.tensor });
    } else if (kind === "progress") {
      if (event.what === "calibrate") calibration(event.progress);
      else shown?.onProgress(event.progress);
    } else if (kind === "epoch") shown?.onEpoch(event.record);
  };

  function fitOf({ steps }: Recipe, i: number, from: RunCheckpoint | undefined): ShownFit | undefined {
    const step = steps[i]!;
    if (step.do !== "train" && step.do !== "tune") return undefined;
    const title = step.do === "train" ? "train" : step.masks === undefined ? "fine-tune" : "prune and tune";
    const done = from?.training?.epochs ?? [];
    return showFit(bar, context, { epochs: step.fit.epochs, title, done });
  }
}
