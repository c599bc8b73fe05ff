import { stat } from "node:fs/promises";
import { type DrawnModel, drawingOf, drawModel, type Registry } from "@espalier/bench";
import { EspalierError, type Model } from "@espalier/core";
import { encodeModel } from "@espalier/formats";
import { loadModel, readTensors, saveModel } from "@espalier/formats/node";
import { fit, forecastingDataFor, withData } from "@espalier/training";
import type { Context } from "../context.ts";
import { plural } from "../output/numbers.ts";
import type { Bar } from "../output/progress.ts";
import { openBackend } from "./backend.ts";
import { loadSource } from "./data.ts";
import { showFit } from "./fitting.ts";
import type { PruneJob } from "./prune-job.ts";

/** The model that is pruned, and the bytes of its file. */
export interface Dense {
  readonly model: Model;
  readonly bytes: number;
}

/** The model a file holds, or the one that a recipe draws and trains. */
export async function denseModel(
  file: string | undefined,
  job: PruneJob,
  registry: Registry,
  context: Context,
  bar: Bar,
): Promise<Dense> {
  const source = file === undefined ? job.source : context.path(file);
  if (source === undefined)
    throw new EspalierError("give a model file, or --recipe FILE with one. See espalier prune --help.");
  if (typeof source === "string") return { model: await loadModel(source), bytes: (await stat(source)).size };
  const model = await drawn(source, job, registry, context, bar);
  return { model, bytes: encodeModel(model).length };
}

async function drawn(
  source: DrawnModel,
  job: PruneJob,
  registry: Registry,
  context: Context,
  bar: Bar,
): Promise<Model> {
  const { scale, splits, seed = 0, training } = job;
  const loaded = await loadSource(job.dataset ?? "synthetic", job, context, bar);
  const architecture = drawModel(registry, drawingOf(source), { series: loaded.table.columns.length });
  const fresh =
    source.weights === undefined
      ? architecture.initialize(seed)
      : architecture.load(await readTensors(source.weights));
  const data = forecastingDataFor(fresh, loaded, { scale, splits });
  const model = withData(fresh, data);
  if (training === undefined) return model;
  const backend = await openBackend(registry, job.backend);
  context.endsInOrder(bar.line);
  const shown = showFit(bar, context, { epochs: training.epochs, title: "train" });
  const { train, validation, name, checksum } = data;
  const trained = await fit({
    model,
    backend,
    train,
    validation,
    settings: { ...training, seed },
    data: { name, checksum },
    signal: context.signal,
    ...shown,
  });
  if (trained.ended === "aborted") throw await stopped(trained.model, trained.epochs.length, job, context);
  return trained.model;
}

/** Keeps what was trained when Ctrl-C came, beside what would have been written. */
async function stopped(model: Model, epochs: number, job: PruneJob, context: Context): Promise<Error> {
  const { out, dryRun, force = false } = job;
  if (epochs === 0 || out === undefined || dryRun) return new EspalierError("stopped: nothing was written.");
  const kept = out.replace(/(\.safetensors)?$/, ".dense.safetensors");
  await saveModel(context.path(kept), model, { force });
  return new EspalierError(
    `stopped in training; ${kept} holds the best of ${plural(epochs, "epoch")}, not pruned. To prune it: give it as the model.`,
  );
}
