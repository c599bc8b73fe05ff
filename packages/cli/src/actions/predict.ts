import { formatCsv, formatDate, plainStyle, type Table } from "@espalier/datasets";
import { createForecaster, type Forecast } from "@espalier/forecaster";
import { checkReplaceable, loadModel, writeFileAtomically } from "@espalier/formats/node";
import { createRegistry } from "@espalier/recipe/standard";
import { formatCount } from "@espalier/report/text";
import type { PredictOptions } from "../commands/predict.ts";
import type { Context } from "../context.ts";
import { required } from "../options/groups.ts";
import { openBar } from "../output/progress.ts";
import { textLines } from "../output/table.ts";
import { expectApart } from "../shared/apart.ts";
import { openBackend } from "../shared/backend.ts";
import { loadSourceFor } from "../shared/data.ts";

/** `espalier predict`. */
export async function predict(file: string, options: PredictOptions, context: Context): Promise<void> {
  const { out, force = false, json } = options;
  const input = required(options.input, "--input FILE, a .csv file");
  await expectApart({ "--out": out }, { "the model file": file, "--input": input }, context);
  if (out !== undefined) await checkReplaceable(context.path(out), force);
  const bar = await openBar(context);
  try {
    const model = await loadModel(context.path(file));
    const { table, reading } = await loadSourceFor(model, { ...options, dataset: input }, context, bar);
    const backend = await openBackend(createRegistry(), options);
    const forecaster = await createForecaster(model, { backend });
    const forecast = await forecaster.forecast(table);
    forecaster.dispose();
    bar.stop();
    const text = formatCsv({ ...table, ...forecast }, reading);
    if (out !== undefined) await writeFileAtomically(context.path(out), text, { force });
    if (json) context.print([JSON.stringify(asJson(table, forecast, out), null, 2)]);
    else if (out === undefined) context.stdout.write(text);
    else {
      const { rows, columns } = forecast;
      context.print([
        ...textLines(
          `${context.colors.green(out)}  ${rows} rows of ${columns.length} series, after the ${formatCount(table.rows)} of ${table.name}`,
        ),
      ]);
    }
  } finally {
    bar.stop();
  }
}

function asJson(
  { name, rows: after, dates }: Table,
  { columns, rows, values, timestamps, offsets }: Forecast,
  out: string | undefined,
): object {
  const width = columns.length;
  return {
    data: name,
    after,
    series: columns,
    ...(timestamps && {
      dates: Array.from(timestamps, (time, row) =>
        formatDate(dates ?? plainStyle(timestamps), time, offsets?.[row]).join(" "),
      ),
    }),
    forecast: Array.from({ length: rows }, (_, row) => [...values.subarray(row * width, (row + 1) * width)]),
    ...(out === undefined ? {} : { written: out }),
  };
}
