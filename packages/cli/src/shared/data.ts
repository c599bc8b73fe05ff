import { basename } from "node:path";
import { EspalierError, type Model } from "@espalier/core";
import type { LoadedDataset } from "@espalier/datasets";
import { type FetchOptions, isDataFile, type LoadOptions, loadDataset } from "@espalier/datasets/node";
import { formatBytes, formatShare, plural } from "@espalier/report/text";
import { dataOf, type ModelData } from "@espalier/training";
import type { Context } from "../context.ts";
import { type CsvOptionsGiven, csvOptions } from "../options/csv.ts";
import type { TrainingDataOptions } from "../options/groups.ts";

import type { Bar } from "../output/progress.ts";

/** Returns a data set's name unchanged, and a file's path relative to the working directory. */
export function datasetPath(dataset: string, context: Context): string {
  return isDataFile(dataset) ? context.path(dataset) : dataset;
}

/** Folders that hold the files of the catalogue. */
export function dataFolders(context: Context): Pick<FetchOptions, "folder" | "cache"> {
  const { ESPALIER_DATA: folder, ESPALIER_CACHE: cache } = context.env;
  return {
    ...(folder ? { folder: context.path(folder) } : {}),
    ...(cache ? { cache: context.path(cache) } : {}),
  };
}

/** The same folders, with a bar for downloads. */
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

/** Loads a data set, and reports a download's progress, detected or odd properties of the file, and missing values. */
export async function loadSource(
  dataset: string,
  options: Pick<TrainingDataOptions, "series" | keyof CsvOptionsGiven>,
  context: Context,
  bar: Bar,
  remembered: LoadOptions = {},
): Promise<LoadedDataset> {
  const source = await loadDataset(datasetPath(dataset, context), {
    ...fetchOptions(dataset, context, bar),
    ...remembered,
    ...given({ ...csvOptions(options), series: options.series }),
  });
  for (const note of source.notes ?? []) bar.line(`${source.name}: ${note}.`);
  const { cells, rule, bySeries, droppedRows } = source.missing;
  if (cells > 0) {
    const share = formatShare(cells / (source.table.rows * source.table.columns.length), 1);
    const where = plural(Object.keys(bySeries).length, "series", "series");
    const dropped = droppedRows === 0 ? "" : `, ${plural(droppedRows, "row")} dropped`;
    bar.line(
      `${source.name}: ${plural(cells, "value")} (${share}) ${cells === 1 ? "was" : "were"} missing in ${where}: ${rule}${dropped}.`,
    );
  }
  return source;
}

/** The data set to evaluate or tune on: the one given, else the one that the model was trained on. */
export async function loadSourceFor(
  model: Model,
  options: TrainingDataOptions,
  context: Context,
  bar: Bar,
): Promise<LoadedDataset> {
  const { dataset, remembered } = namedFor(model, options);
  return loadSource(dataset, options, context, bar, remembered);
}

/** The same data set, by which file and how it is read. */
export function sourceFor(model: Model, options: TrainingDataOptions, context: Context) {
  const { dataset, remembered } = namedFor(model, options);
  return {
    dataset: datasetPath(dataset, context),
    reading: { ...remembered, ...given({ ...csvOptions(options), series: options.series }) },
  };
}

function namedFor(
  model: Model,
  options: TrainingDataOptions,
): { readonly dataset: string; readonly remembered: LoadOptions } {
  const known = dataOf(model);
  const dataset = options.dataset ?? known?.name;
  if (dataset === undefined) {
    throw new EspalierError("the model does not say which data it was trained on. Give --dataset.");
  }
  if (options.dataset === undefined && isDataFile(dataset)) {
    throw new EspalierError(
      `the model was trained on ${basename(dataset)}. Give --dataset with the path to it.`,
    );
  }
  return { dataset, remembered: readingOf(known) };
}

/** How a model's data was read, to read similar files in the same way. */
function readingOf(known: ModelData | undefined): LoadOptions {
  if (known === undefined) return {};
  const { series, missing, gaps, reading } = known;
  return {
    series: [...series],
    ...(missing !== undefined && missing !== "error" && { missing }),
    ...(gaps !== undefined && { gaps }),
    ...(reading !== undefined && { like: reading }),
  };
}

function given<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>;
}
