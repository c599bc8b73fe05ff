import { digest, EspalierError } from "@espalier/core";
import { encodeModel } from "@espalier/formats";
import { checkReplaceable, loadModel, writeFileAtomically } from "@espalier/formats/node";
import { type PastRun, type RecipeEvent, replay, runsOf } from "@espalier/recipe";
import { stepTexts } from "@espalier/report/text";
import { dataOf } from "@espalier/training";
import type { ReplayOptions } from "../commands/replay.ts";
import type { Context } from "../context.ts";
import { required } from "../options/groups.ts";
import { openBar } from "../output/progress.ts";
import { headingLines, textLines } from "../output/table.ts";
import { expectApart } from "../shared/apart.ts";
import { registryWith } from "../shared/plugins.ts";
import { showRun } from "../shared/run-progress.ts";
import { CommandWorkbench } from "../shared/workbench.ts";

/** `espalier replay`. `backend` is the one that the user gave; the default is the one in the history. */
export async function replayed(
  file: string,
  options: ReplayOptions,
  backend: string | undefined,
  context: Context,
): Promise<void> {
  const { out, json, force = false, threads } = options;
  const registry = await registryWith(options.plugin, context);
  await expectApart({ "--out": out }, { "the model file": file, "--from": options.from }, context);
  if (out !== undefined) await checkReplaceable(context.path(out), force);
  const given = required(options.from, "--from FILE, the model that this one was made from");
  const [model, from] = [await loadModel(context.path(file)), await loadModel(context.path(given))];
  const bar = await openBar(context);
  try {
    const bench = new CommandWorkbench({ registry, data: options, threads, context, bar });
    const shows = new Map<PastRun, (event: RecipeEvent) => void>();
    const again = await replay({
      model,
      from,
      workbench: {
        registry,
        // A model that was never trained does not name its data; the pruned model does.
        data: (one) => bench.data(dataOf(one) === undefined ? model : one),
        backend: (name) => bench.backend(backend ?? name),
        plan: (path) => bench.plan(path),
      },
      signal: context.signal,
      onEvent: (event, past) => {
        const show = shows.get(past) ?? showRun(past.recipe, { bar, context });
        shows.set(past, show);
        show(event);
      },
    });
    const bytes = encodeModel(again);
    if (!same(bytes, encodeModel(model)))
      throw new EspalierError(`${file}: the replay has the same weights but a different history.`);
    if (out !== undefined) await writeFileAtomically(context.path(out), bytes, { force });
    bar.stop();
    const steps = runsOf(model, from.history.length).flatMap(({ recipe }) => stepTexts(recipe));
    const written = out === undefined ? [] : [out];
    if (json) {
      context.print([
        JSON.stringify({ model: file, from: given, steps, digest: digest(again), written }, null, 2),
      ]);
      return;
    }
    context.print([
      ...headingLines(model.name, `, replayed from ${given}`, context.colors),
      ...steps.flatMap((text, i) => textLines(`  ${i + 1}  ${text}`)),
      `${context.colors.green("identical")} to ${file}, byte for byte${out === undefined ? "" : `; written to ${out}`}`,
    ]);
  } finally {
    bar.stop();
  }
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
