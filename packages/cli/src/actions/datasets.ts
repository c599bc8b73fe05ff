import { type CatalogueEntry, catalogue, findDataset, synthetic } from "@espalier/datasets";
import { type DatasetFile, datasetFile, fetchDataset } from "@espalier/datasets/node";
import { formatBytes, formatCount, plural } from "@espalier/report/text";
import type { Context } from "../context.ts";
import type { CommonOptions } from "../options/groups.ts";
import { openBar } from "../output/progress.ts";
import { tableLines } from "../output/table.ts";
import { dataFolders, fetchOptions } from "../shared/data.ts";

/** A data set of the catalogue, with the path where its file is or will be. */
type Entry = CatalogueEntry & DatasetFile;

/** `espalier datasets`. */
export async function listDatasets({ json }: CommonOptions, context: Context): Promise<void> {
  const entries = await Promise.all(catalogue.map((entry) => located(entry, context)));
  const { rows, columns, step } = synthetic();
  if (json) {
    const embedded = { name: "synthetic", rows, series: columns.length, step: step?.label, present: true };
    context.print([JSON.stringify({ datasets: [embedded, ...entries.map(asJson)] }, null, 2)]);
    return;
  }
  const { colors: c } = context;
  const lines = [
    ["name", "rows", "series", "step", "licence", "here"].map((text) => c.dim(text)),
    [
      c.bold("synthetic"),
      formatCount(rows),
      formatCount(columns.length),
      step?.label ?? "",
      "",
      c.green("embedded"),
    ],
    ...entries.map(({ name, rows, columns, step, licence, present }) => [
      c.bold(name),
      formatCount(rows),
      formatCount(columns),
      step,
      licence,
      present ? c.green("yes") : c.dim("to fetch"),
    ]),
  ];
  context.print(tableLines(lines, { align: ["left", "right", "right", "right", "left", "left"] }));
}

/** `espalier datasets NAME`. */
export async function showDataset(name: string, { json }: CommonOptions, context: Context): Promise<void> {
  const entry = await located(findDataset(name), context);
  if (json) {
    context.print([JSON.stringify(asJson(entry), null, 2)]);
    return;
  }
  const { rows, columns, step, licence, splits, sentinels, missing, address, sha256, path, present } = entry;
  const parts = "rows" in splits ? splits.rows : splits.shares;
  const rule = sentinels.length === 0 ? "none" : `${sentinels.join(", ")}: ${missing}`;
  context.print([
    context.colors.bold(name),
    ...tableLines(
      [
        ["size", `${formatCount(rows)} rows of ${plural(columns, "series", "series")}, every ${step}`],
        ["licence", licence],
        [
          "split",
          `${parts.map((part) => (part > 1 ? formatCount(part) : `${part}`)).join(", ")} (training, validation, test)`,
        ],
        ["missing values", rule],
      ],
      { align: ["left", "left"] },
    ),
    // Outside the table: they are long, and meant to be copied.
    `from    ${address}`,
    `sha256  ${sha256}`,
    `file    ${path}${present ? "" : " (once it is fetched)"}`,
  ]);
}

async function located(entry: CatalogueEntry, context: Context): Promise<Entry> {
  return { ...entry, ...(await datasetFile(entry.name, dataFolders(context))) };
}

function asJson({ columns, ...entry }: Entry): object {
  const { name, rows, step, licence, splits, sentinels, missing, address, sha256, path, present } = entry;
  return {
    name,
    rows,
    series: columns,
    step,
    licence,
    splits,
    sentinels,
    missing,
    address,
    sha256,
    path,
    present,
  };
}

/** `espalier datasets fetch`. */
export async function fetchDatasets(
  names: readonly string[],
  { json }: CommonOptions,
  context: Context,
): Promise<void> {
  // Check all names before the first download begins.
  for (const name of names) findDataset(name);
  const bar = await openBar(context);
  try {
    const fetched = [];
    for (const name of names) {
      const { path, bytes: content } = await fetchDataset(name, fetchOptions(name, context, bar));
      fetched.push({ name, path, bytes: content.length, sha256: findDataset(name).sha256 });
    }
    bar.stop();
    if (json) context.print([JSON.stringify({ datasets: fetched }, null, 2)]);
    else
      context.print(
        fetched.map(
          ({ name, path, bytes: n }) => `${name}  ${formatBytes(n)}, verified  ${context.colors.green(path)}`,
        ),
      );
  } finally {
    bar.stop();
  }
}
