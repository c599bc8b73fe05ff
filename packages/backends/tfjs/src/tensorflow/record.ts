import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { EspalierError } from "@espalier/core";
import { names } from "./location.ts";

/** The installed versions and their origin: `installed.json` in the folder. */
export interface InstallRecord {
  readonly format: 1;
  readonly date: string;
  /** `linux x64`. */
  readonly platform: string;
  /** Versions of libtensorflow, and of the package whose addon and kernels are used. */
  readonly versions: { readonly tensorflow: string; readonly tfjsNode: string };
  readonly compiler: string;
  readonly wheel: { readonly name: string; readonly bytes: number; readonly sha256: string };
  /** Every other file of the folder. */
  readonly files: Readonly<Record<string, { readonly bytes: number; readonly sha256: string }>>;
}

export function platform(): string {
  return `${process.platform} ${process.arch}`;
}

/** Reads the record of an installation; undefined if there is none. Throws an EspalierError if it is damaged. */
export async function readRecord(folder: string): Promise<InstallRecord | undefined> {
  const path = join(folder, names.record);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  }
  let record: InstallRecord | undefined;
  try {
    record = JSON.parse(text) as InstallRecord;
  } catch {
    // Said below.
  }
  const whole =
    record?.format === 1 &&
    typeof record.versions?.tensorflow === "string" &&
    typeof record.versions.tfjsNode === "string" &&
    typeof record.files === "object";
  if (whole) return record;
  throw new EspalierError(
    `${path} is damaged, or from a newer Espalier: espalier backends install tensorflow --force`,
  );
}
