import { basename } from "node:path";
import { EspalierError, type Model } from "@espalier/core";
import type { LoadedDataset } from "@espalier/datasets";
import { type FetchOptions, type LoadOptions, loadDataset } from "@espalier/datasets/node";
import { formatBytes, formatCount, formatShare, plural } from "@espalier/report/text";
import { dataOf } from "@espalier/training";
import type { Context } from "../context.ts";
import type { CsvOptionsGiven, TrainingDataOptions } from "../options/groups.ts";
import type { Bar } from "../output/progress.ts";

/** Names of files, beside those of the catalogue. */
export const csvFile = /\.(csv|tsv)$/i;

/** A data set's name as it is, a file's path relative to the working directory. */
export function datasetPath(dataset: string, context: Context): string {
  return csvFile.test(dataset) ? context.path(dataset) : dataset;
}

/** Where files of the catalogue are. */
export function dataFolders(context: Context): Pick<FetchOptions, "folder" | "cache"> {
  const { ESPALIER_DATA: folder, ESPALIER_CACHE: cache } = context.env;
  return {
    ...(folder ? { folder: context.path(folder) } : {}),
    ...(cache ? { cache: context.path(cache) } : {}),
  };
}

/** The same, and how a download shows. */
export function fetchOptions(name: string, context: Context, bar: Bar): FetchOptions {
  return {
    ...dataFolders(context),
    signal: context.signal,
    onProgress: ({ received, total }) =>
      bar.update({
        label: `download ${name}`,
        share: total === undefined ? 0 : received / total,
        detail:
          total === undefined ? formatBytes(received) : `${formatBytes(received)} of ${formatBytes(total)}`,
      }),
  };
}

/** How a CSV file is to be read, as the loader's options. */
export function csvOptions(
  options: CsvOptionsGiven,
): Pick<LoadOptions, "missing" | "delimiter" | "decimal" | "dateColumn"> {
  const { missing, delimiter, decimal, dateColumn } = options;
  return { missing, delimiter, decimal, dateColumn: dateColumn === "none" ? false : dateColumn };
}

/** Loads a data set, tells of a download's progress, and of what was missing in it. */
export async function loadSource(
  dataset: string,
  options: Pick<TrainingDataOptions, "series" | keyof CsvOptionsGiven>,
  context: Context,
  bar: Bar,
): Promise<LoadedDataset> {
  const source = await loadDataset(datasetPath(dataset, context), {
    ...fetchOptions(dataset, context, bar),
    ...csvOptions(options),
    series: options.series,
  });
  const { cells, rule, bySeries, droppedRows } = source.missing;
  if (cells > 0) {
    const share = formatShare(cells / (source.table.rows * source.table.columns.length), 1);
    const where = plural(Object.keys(bySeries).length, "series", "series");
    const dropped = droppedRows === 0 ? "" : `, ${plural(droppedRows, "row")} left out`;
    bar.line(
      `${source.name}: ${formatCount(cells)} values (${share}) were missing in ${where}: ${rule}${dropped}.`,
    );
  }
  return source;
}

/** The data set a model is evaluated on or tuned with: the one given, else the one it was trained on. */
export async function loadSourceFor(
  model: Model,
  options: TrainingDataOptions,
  context: Context,
  bar: Bar,
): Promise<LoadedDataset> {
  const known = dataOf(model);
  const dataset = options.dataset ?? known?.name;
  if (dataset === undefined) {
    throw new EspalierError("the model does not say what data it was trained on: give --dataset.");
  }
  if (options.dataset === undefined && csvFile.test(dataset)) {
    throw new EspalierError(
      `the model was trained on ${basename(dataset)}: give --dataset with the path to it.`,
    );
  }
  const series = options.series ?? (known === undefined ? undefined : [...known.series]);
  const missing = options.missing ?? (known?.missing === "error" ? undefined : known?.missing);
  return loadSource(
    dataset,
    { ...options, ...(series && { series }), ...(missing && { missing }) },
    context,
    bar,
  );
}
