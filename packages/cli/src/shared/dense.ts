import { stat } from "node:fs/promises";
import { EspalierError, type Model } from "@espalier/core";
import { encodeModel } from "@espalier/formats";
import { loadModel, readTensors, saveModel } from "@espalier/formats/node";
import { type DrawnModel, drawingOf, drawModel, type Registry } from "@espalier/recipe";
import { plural } from "@espalier/report/text";
import { fit, forecastingDataFor, withData } from "@espalier/training";
import type { Context } from "../context.ts";
import type { Bar } from "../output/progress.ts";
import { openBackend } from "./backend.ts";
import { loadSource } from "./data.ts";
import { showFit } from "./fitting.ts";
import type { PruneJob } from "./prune-job.ts";

/** The model that is pruned, and the bytes of its file. */
export interface Dense {
  readonly model: Model;
  readonly bytes: number;
  /** Epochs it was trained here; absent for a model that was there already. */
  readonly epochs?: number;
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
  const { model, epochs } = await drawn(source, job, registry, context, bar);
  return { model, bytes: encodeModel(model).length, epochs };
}

/** After a Ctrl-C keeps a model that was trained here, beside what would have been written, and says so in one line. */
export async function keepDense(
  { model, epochs = 0 }: Pick<Dense, "model" | "epochs">,
  { out, dryRun, force = false }: PruneJob,
  context: Context,
): Promise<Error> {
  if (epochs === 0 || out === undefined || dryRun) return new EspalierError("stopped: nothing was written.");
  const kept = out.replace(/(\.safetensors)?$/, ".dense.safetensors");
  await saveModel(context.path(kept), model, { force });
  return new EspalierError(
    `stopped before pruning; ${kept} holds the trained model, the best of ${plural(epochs, "epoch")}. To go on: the same command with ${kept} as the model.`,
  );
}

async function drawn(
  source: DrawnModel,
  job: PruneJob,
  registry: Registry,
  context: Context,
  bar: Bar,
): Promise<{ model: Model; epochs: number }> {
  const { scale, splits, seed = 0, training } = job;
  const loaded = await loadSource(job.dataset ?? "synthetic", job, context, bar);
  const architecture = drawModel(registry, drawingOf(source), { series: loaded.table.columns.length });
  const fresh =
    source.weights === undefined
      ? architecture.initialize(seed)
      : architecture.load(await readTensors(source.weights));
  const data = forecastingDataFor(fresh, loaded, { scale, splits });
  const model = withData(fresh, data);
  if (training === undefined) return { model, epochs: 0 };
  const backend = await openBackend(registry, job);
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
  const result = { model: trained.model, epochs: trained.epochs.length };
  if (trained.ended === "aborted") throw await keepDense(result, job, context);
  return result;
}
