import { loadModel } from "@espalier/formats/node";
import { createRegistry } from "@espalier/recipe/standard";
import { compared, forecastingDataFor, evaluate as measure } from "@espalier/training";
import type { EvaluateOptions } from "../commands/evaluate.ts";
import type { Context } from "../context.ts";
import { comparisonJson, metricsLines } from "../output/metrics.ts";
import { openBar } from "../output/progress.ts";
import { headingLines } from "../output/table.ts";
import { openBackend } from "../shared/backend.ts";
import { loadSourceFor } from "../shared/data.ts";
import { showEvaluation } from "../shared/fitting.ts";

/** `espalier evaluate`. */
export async function evaluate(file: string, options: EvaluateOptions, context: Context): Promise<void> {
  const { split, batchSize, json, detail } = options;
  const bar = await openBar(context);
  try {
    const model = await loadModel(context.path(file));
    const source = await loadSourceFor(model, options, context, bar);
    const data = forecastingDataFor(model, source, { splits: options.splits });
    const metrics = await measure({
      model,
      backend: await openBackend(createRegistry(), options),
      windows: data[split],
      scaler: data.scaler,
      signal: context.signal,
      onProgress: showEvaluation(bar, split),
      ...(batchSize === undefined ? {} : { batchSize }),
    });
    const comparison = compared(metrics, data[split], data);
    bar.stop();
    if (json) {
      const { name, checksum, series, scaler } = data;
      const described = { name, checksum, series, scale: scaler.kind };
      const errors = { ...metrics, ...comparisonJson(comparison) };
      context.print([JSON.stringify({ model: model.name, data: described, split, ...errors }, null, 2)]);
      return;
    }
    const { colors } = context;
    context.print([
      ...headingLines(
        model.name,
        ` on ${data.name}, ${data.test.inputLength} → ${data.test.horizon}`,
        colors,
      ),
      "",
      ...metricsLines(metrics, comparison, { split, data, detail }, colors),
    ]);
  } finally {
    bar.stop();
  }
}
