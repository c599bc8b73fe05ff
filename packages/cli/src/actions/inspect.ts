import { stat } from "node:fs/promises";
import { createRegistry } from "@espalier/bench";
import {
  account,
  EspalierError,
  layerCounts,
  type Model,
  prunableDimensions,
  sparsity,
} from "@espalier/core";
import { loadModel } from "@espalier/formats/node";
import type { InspectOptions } from "../commands/inspect.ts";
import type { Context } from "../context.ts";
import { inspectedLines } from "../output/inspected.ts";
import { chosenModel } from "../shared/models.ts";

/** `espalier inspect`. */
export async function inspect(
  file: string | undefined,
  options: InspectOptions,
  context: Context,
): Promise<void> {
  if (file !== undefined && (options.model !== undefined || options.from !== undefined)) {
    throw new EspalierError("give a model file, or --model; not both.");
  }
  const path = file ?? (options.model === undefined ? options.from : undefined);
  const model = path === undefined ? await drawn(options, context) : await loadModel(context.path(path));
  const bytes = path === undefined ? undefined : (await stat(context.path(path))).size;
  if (options.json) context.print([JSON.stringify(inspected(model, bytes), null, 2)]);
  else
    context.print(
      inspectedLines(model, { bytes, all: options.all, columns: context.stdout.columns }, context.colors),
    );
}

function drawn(options: InspectOptions, context: Context): Promise<Model> {
  if (options.model === undefined) throw new EspalierError("give a model file, or --model NAME.");
  const { series } = options;
  return chosenModel(options, createRegistry(), context, series === undefined ? {} : { series });
}

/** The same as data. */
function inspected(model: Model, fileBytes: number | undefined): object {
  const counts = account(model);
  return {
    name: model.name,
    options: model.options,
    ...counts,
    sparsity: sparsity(model, counts),
    unpruned: model.dense,
    ...(fileBytes === undefined ? {} : { fileBytes }),
    layers: layerCounts(model),
    prunable: prunableDimensions(model.dimensions).map(
      ({ name, kind, size, originalSize = size, members }) => ({
        name,
        kind,
        size,
        originalSize,
        members,
      }),
    ),
    fixed: model.dimensions.list.flatMap(({ name, kind, size, fixed }) =>
      fixed === undefined ? [] : [{ name, kind, size, reason: fixed }],
    ),
    metadata: model.metadata,
    history: model.history,
  };
}
