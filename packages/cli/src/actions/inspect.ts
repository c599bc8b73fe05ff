import { stat } from "node:fs/promises";
import {
  account,
  EspalierError,
  layerCounts,
  type Model,
  prunableDimensions,
  sparsity,
} from "@espalier/core";
import { loadModel } from "@espalier/formats/node";
import { createRegistry } from "@espalier/recipe/standard";
import type { Insight } from "@espalier/report/text";
import type { InspectOptions } from "../commands/inspect.ts";
import type { Context } from "../context.ts";
import type { BackendOptions } from "../options/groups.ts";
import { insightJson, insightLines } from "../output/insight.ts";
import { inspectedLines } from "../output/inspected.ts";
import { type DescribedProgram, programLines } from "../output/program.ts";
import { openBackend } from "../shared/backend.ts";
import { gatherInsight } from "../shared/insight.ts";
import { chosenModel } from "../shared/models.ts";

/** `espalier inspect`. */
export async function inspect(
  file: string | undefined,
  options: InspectOptions,
  context: Context,
): Promise<void> {
  if (file !== undefined && (options.model !== undefined || options.from !== undefined)) {
    throw new EspalierError("give either a model file or --model, not both.");
  }
  for (const name of ["batch", "threads"] as const) {
    if (options[name] !== undefined && options.backend === undefined)
      throw new EspalierError(`--${name} only applies with --backend.`);
  }
  const path = file ?? (options.model === undefined ? options.from : undefined);
  const model = path === undefined ? await drawnModel(options, context) : await loadModel(context.path(path));
  if (options.backend !== undefined) {
    const { backend, threads, batch = 1 } = options;
    const program = await describedProgram(model, { backend, threads }, batch);
    if (options.json) context.print([JSON.stringify(program, null, 2)]);
    else context.print(programLines(program, context.stdout.columns, context.colors));
    return;
  }
  const bytes = path === undefined ? undefined : (await stat(context.path(path))).size;
  const insight = await gatherInsight(model, options, context);
  const page = await drawn(insight, options, context);
  if (options.json) {
    const document = { ...inspected(model, bytes), ...insightJson(insight), ...(page && { page }) };
    context.print([JSON.stringify(document, null, 2)]);
    return;
  }
  const { columns } = context.stdout;
  context.print([
    ...inspectedLines(model, { bytes, all: options.all, columns }, context.colors),
    ...insightLines(insight, columns, context.colors),
    ...(page === undefined ? [] : ["", context.colors.green(page.html)]),
  ]);
}

/** Writes the page of `--out`. */
async function drawn(insight: Insight, { out, force = false }: InspectOptions, context: Context) {
  if (out === undefined) return undefined;
  const { writeInsight } = await import("@espalier/report");
  return writeInsight(insight, { out: context.path(out), force, signal: context.signal });
}

function drawnModel(options: InspectOptions, context: Context): Promise<Model> {
  if (options.model === undefined) throw new EspalierError("give a model file, or --model NAME.");
  const { series } = options;
  return chosenModel(options, createRegistry(), context, { data: { series } });
}

/** Describes the program a backend compiles the model to. Throws an EspalierError if the backend cannot describe it. */
async function describedProgram(
  model: Model,
  asked: BackendOptions,
  batch: number,
): Promise<DescribedProgram> {
  const backend = await openBackend(createRegistry(), asked);
  const { name } = backend;
  const state = await backend.createState(model.tensors);
  try {
    const program = await backend.compile(model.graph, { state, batch: [batch] });
    try {
      const description = program.describe?.(batch);
      if (description === undefined)
        throw new EspalierError(`backend ${name} cannot describe its program; wasm can.`);
      return { name: model.name, backend: name, batch, ...description };
    } finally {
      program.dispose();
    }
  } finally {
    state.dispose();
  }
}

/** The report as JSON data. */
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
