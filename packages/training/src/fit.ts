import { EspalierError } from "@espalier/core";
import type { FitRequest, FitResult } from "./fit-request.ts";
import { readSettings } from "./options.ts";
import { TrainingRun } from "./training-run.ts";

/**
 * Trains a model with Adam on the mean squared error, and keeps the weights of the epoch with the lowest validation
 * error. An aborted fit ends after the current step and keeps the best weights so far. The same settings, data and
 * backend give the same weights, even if training was interrupted and resumed.
 */
export async function fit(request: FitRequest): Promise<FitResult> {
  const settings = readSettings(request.settings ?? {});
  if (request.train.count === 0) throw new EspalierError("there is no training window.");
  const weight = request.teacher?.weight;
  if (weight !== undefined && !(weight > 0 && weight <= 1)) {
    throw new EspalierError(`the teacher's weight ${weight} is outside (0, 1].`);
  }
  const { signal, resume, model } = request;
  const run = await TrainingRun.start(request, settings).catch((error: unknown) => {
    if (signal?.aborted) return undefined;
    throw error;
  });
  if (run === undefined) return { model, epochs: resume?.epochs ?? [], ended: "aborted" };
  try {
    return await run.toTheEnd();
  } finally {
    run.dispose();
  }
}
