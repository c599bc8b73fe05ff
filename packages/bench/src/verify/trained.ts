import { join } from "node:path";
import { type Backend, EspalierError } from "@espalier/core";
import { readBy } from "@espalier/core/documents";
import { forecastingData } from "@espalier/datasets/node";
import { readBytes, readTensors } from "@espalier/formats/node";
import { fromOriginalConfig } from "@espalier/models";
import type { Registry } from "@espalier/recipe";
import { drawModel } from "@espalier/recipe";
import { evaluate, type OnProgress } from "@espalier/training";
import { z } from "zod";
import type { Check } from "./check.ts";

const resultSchema = z.looseObject({
  model: z.string(),
  data: z.string(),
  config: z.looseObject({ seq_len: z.int(), pred_len: z.int() }),
  test: z.strictObject({ mse: z.number(), mae: z.number() }),
});

/** Largest difference of the test errors. */
const tolerance = 5e-5;

/** Location of the data, and progress. */
export interface TrainedOptions {
  /** Folder of the data sets; by default the cache, or a download. */
  readonly folder?: string | undefined;
  readonly cache?: string | undefined;
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

/**
 * Compares the test error of a trained checkpoint with PyTorch's, from a folder with `result.json` and
 * `weights.safetensors`. Every window of the test split is forecast.
 */
export async function verifyTrained(
  folder: string,
  registry: Registry,
  backend: Backend,
  options: TrainedOptions = {},
): Promise<readonly Check[]> {
  const path = join(folder, "result.json");
  const text = new TextDecoder().decode(await readBytes(path, "reference"));
  const {
    model: name,
    data: dataset,
    config,
    test,
  } = readBy(resultSchema, parse(text, path), `reference ${path}`);
  const data = await forecastingData({
    dataset,
    inputLength: config.seq_len,
    horizon: config.pred_len,
    folder: options.folder,
    cache: options.cache,
  });
  const model = drawModel(registry, { ...fromOriginalConfig(name, config), use: name }).load(
    await readTensors(join(folder, "weights.safetensors")),
  );
  const { mse, mae } = await evaluate({ model, backend, windows: data.test, batchSize: 128, ...options });
  const check = (what: string, got: number, expected: number): Check => {
    const error = Math.abs(got - expected);
    return {
      what: `${what} over ${data.test.count} test windows`,
      error,
      tolerance,
      passed: error <= tolerance,
      detail: `${got.toFixed(6)}, PyTorch ${expected.toFixed(6)}`,
    };
  };
  return [check("MSE", mse, test.mse), check("MAE", mae, test.mae)];
}

function parse(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new EspalierError(`reference ${path}: not JSON.`);
  }
}
