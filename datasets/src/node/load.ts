import { access } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { EspalierError } from "@espalier/core";
import envPaths from "env-paths";
import { type CatalogueEntry, catalogue, findDataset } from "../catalogue.ts";
import { type CsvOptions, csvOptions } from "../csv/options.ts";
import { parseCsv } from "../csv/parse.ts";
import type { LoadedDataset } from "../forecasting.ts";
import { parseOptions } from "../options.ts";
import { defaultSplit } from "../split.ts";
import { loadSynthetic, type SyntheticOptions } from "../synthetic.ts";
import { selectSeries } from "../table.ts";
import { isDataFile, readBytes, readCsv } from "./csv.ts";
import { type DownloadProgress, download } from "./download.ts";
import { sha256 } from "./sha256.ts";

/** Source of the catalogue's files. */
export interface FetchOptions {
  /** A folder that holds files of the catalogue. Default: the environment's `ESPALIER_DATA`. */
  readonly folder?: string | undefined;
  /** Folder for downloads. Default: `ESPALIER_CACHE`, else the system's folder for caches. */
  readonly cache?: string | undefined;
  /** Never use the network. */
  readonly offline?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called while a file is downloaded. */
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
  /** Takes the place of the global `fetch`. */
  readonly fetch?: typeof fetch | undefined;
}

/** Source of data, and how to read it. */
export interface LoadOptions extends FetchOptions, CsvOptions {
  /** Options of the data set `synthetic`. */
  readonly synthetic?: SyntheticOptions | undefined;
}

/** A file of the catalogue on this machine. */
export interface DatasetFile {
  readonly path: string;
  /** Whether it is there already; its checksum has not been looked at. */
  readonly present: boolean;
}

/**
 * Loads data by name: `synthetic`; a name of the catalogue, from `ESPALIER_DATA`, the cache, or the network, in this
 * order and with its checksum verified; or the path of a CSV file, packed by gzip or not.
 *
 * If a catalogue entry has sentinels and a rule on missing values, they apply unless the options say otherwise
 * (weather: -9999 is missing and filled forward; the literature's own numbers keep it: `sentinels: []`).
 *
 * @throws EspalierError for an unknown name, a checksum that does not match, data that cannot be read, and where
 * `offline` forbids a download that is needed.
 */
export async function loadDataset(nameOrPath: string, options: LoadOptions = {}): Promise<LoadedDataset> {
  const {
    folder: _f,
    cache: _c,
    offline: _o,
    signal,
    onProgress: _p,
    fetch: _t,
    synthetic,
    ...csv
  } = options;
  signal?.throwIfAborted();
  if (nameOrPath === "synthetic") {
    parseOptions("loadDataset", csvOptions, csv);
    const loaded = await loadSynthetic(synthetic);
    return csv.series ? { ...loaded, table: selectSeries(loaded.table, csv.series) } : loaded;
  }
  if (isDataFile(nameOrPath)) {
    const file = await readCsv(nameOrPath, csv, signal);
    return { name: basename(nameOrPath), splits: defaultSplit, gaps: csv.gaps ?? "warn", ...file };
  }
  const known = catalogue.some(({ name }) => name === nameOrPath);
  if (!known && (await exists(nameOrPath))) {
    throw new EspalierError(
      `data ${nameOrPath}: a file with data is told by the end of its name: .csv, .tsv, .txt, .dat, or one of these and .gz. Rename it.`,
    );
  }
  return loadEntry(findDataset(nameOrPath), csv, options);
}

/** Path of the file for a catalogue name, or the path that a download will use. */
export async function datasetFile(
  name: string,
  options: Pick<LoadOptions, "folder" | "cache"> = {},
): Promise<DatasetFile> {
  const entry = findDataset(name);
  const cached = cachedPath(entry, options);
  const folder = options.folder ?? process.env.ESPALIER_DATA;
  for (const path of folder ? [join(resolve(folder), entry.file), cached] : [cached]) {
    if (await exists(path)) return { path, present: true };
  }
  return { path: cached, present: false };
}

/**
 * Makes sure that a data set of the catalogue is on this machine, with the right bytes: verified where it is there,
 * downloaded where it is not. Gives the path and the bytes.
 *
 * @throws EspalierError for an unknown name, a checksum that does not match, and where a download is needed and fails.
 */
export async function fetchDataset(
  name: string,
  options: FetchOptions = {},
): Promise<{ readonly path: string; readonly bytes: Uint8Array }> {
  const entry = findDataset(name);
  const { path, present } = await datasetFile(name, options);
  if (!present) await fetchEntry(entry, path, options);
  const bytes = await readBytes(entry.name, path, options.signal);
  const checksum = sha256(bytes);
  if (checksum !== entry.sha256) {
    const advice =
      path === cachedPath(entry, options)
        ? "Delete the file, and it is downloaded again."
        : `Replace it by ${entry.address}, or give its path to use it as it stands.`;
    throw new EspalierError(
      `data ${entry.name}: ${path} has sha256 ${checksum}, expected ${entry.sha256}. ${advice}`,
    );
  }
  return { path, bytes };
}

async function loadEntry(
  entry: CatalogueEntry,
  csv: CsvOptions,
  options: FetchOptions,
): Promise<LoadedDataset> {
  const { bytes } = await fetchDataset(entry.name, options);
  const { header, dateColumn, columnNames, sentinels, missing, splits, name } = entry;
  const given = Object.fromEntries(Object.entries(csv).filter(([, value]) => value !== undefined));
  const known = {
    header,
    dateColumn,
    columnNames,
    sentinels,
    missing,
    delimiter: ",",
    decimal: ".",
  } as const;
  const { table, missing: report } = parseCsv(name, bytes, { ...known, ...given });
  return { name, checksum: entry.sha256, splits, table, missing: report, gaps: csv.gaps };
}

async function fetchEntry(entry: CatalogueEntry, to: string, options: FetchOptions): Promise<void> {
  const { name, address, sha256: expected } = entry;
  if (options.offline) {
    throw new EspalierError(
      `data ${name}: is not on this machine, and offline forbids to fetch it. Fetch ${address} by hand and put it at ${to}, or into a folder that ESPALIER_DATA names.`,
    );
  }
  const { signal, onProgress, fetch } = options;
  await download({ name, address, sha256: expected, to, signal, onProgress, fetch });
}

function cachedPath(entry: CatalogueEntry, { cache }: Pick<LoadOptions, "cache">): string {
  const folder = cache ?? (process.env.ESPALIER_CACHE || envPaths("espalier", { suffix: "" }).cache);
  return join(resolve(folder), "datasets", entry.file);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
