import { appendFile, readFile, truncate } from "node:fs/promises";
import { EspalierError } from "@espalier/core";
import { refuseNewerFormat } from "@espalier/core/documents";
import { writing } from "@espalier/formats/node";
import type { ResultRecord } from "./records.ts";

/** An append-only file of records, one JSON line each. */
export interface ResultsFile {
  readonly records: readonly ResultRecord[];
  /** Written to disk when the promise resolves. */
  append(...records: ResultRecord[]): Promise<void>;
}

/** Reads records. Ignores a last line that a crash cut off; any other damage is an EspalierError. */
export async function readResults(path: string): Promise<ResultRecord[]> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") throw new EspalierError(`results ${path}: no such file.`);
    throw error;
  });
  return parseResults(text, path).records;
}

/** Opens a results file, or creates one; removes a line that was cut off before adding anything. */
export async function openResults(path: string): Promise<ResultsFile> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
  const { records, whole } = parseResults(text, path);
  if (whole < Buffer.byteLength(text)) {
    await writing(path, () => truncate(path, whole));
  }
  return {
    records,
    async append(...added) {
      const lines = added.map((record) => `${JSON.stringify(record)}\n`).join("");
      await writing(path, () => appendFile(path, lines, { flush: true }));
      records.push(...added);
    },
  };
}

/** Records of a text, and how many of its bytes are whole lines. */
export function parseResults(text: string, where: string): { records: ResultRecord[]; whole: number } {
  const end = text.lastIndexOf("\n") + 1;
  const records = text
    .slice(0, end)
    .split("\n")
    .flatMap((line, i) => (line === "" ? [] : [parseLine(line, `${where}, line ${i + 1}`)]));
  return { records, whole: Buffer.byteLength(text.slice(0, end)) };
}

const mend = "Delete the line: the sweep does its cell again, and nothing else.";

function parseLine(line: string, where: string): ResultRecord {
  let record: Partial<ResultRecord> | null;
  try {
    record = JSON.parse(line) as Partial<ResultRecord> | null;
  } catch {
    throw new EspalierError(`${where}: not a results record (not JSON). ${mend}`);
  }
  refuseNewerFormat(record, "results", where);
  if (record?.format !== 1 || typeof record?.id !== "string" || typeof record.cell !== "object") {
    throw new EspalierError(`${where}: not a results record. ${mend}`);
  }
  return record as ResultRecord;
}
