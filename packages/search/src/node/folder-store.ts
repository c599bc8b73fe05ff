import { mkdir, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { EspalierError } from "@espalier/core";
import { loadModel, saveModel, takeLock } from "@espalier/formats/node";
import { RunStore } from "@espalier/recipe/node";
import { parseRecords, type SearchStore } from "../store.ts";

/** A search in a folder, which no other process can use until it is closed. */
export interface OpenSearch extends SearchStore {
  close(): Promise<void>;
}

/**
 * Opens a search in a folder, or begins one: `search.jsonl` holds what was found, one JSON line each; `models` the models;
 * `unfinished` the trial in progress. Throws an EspalierError if the folder is in use or its file is damaged.
 */
export async function openSearch(folder: string): Promise<OpenSearch> {
  await mkdir(join(folder, "models"), { recursive: true });
  const release = await takeLock(join(folder, "search.lock"), folder);
  try {
    const path = join(folder, "search.jsonl");
    const records = await recordsIn(path);
    const pathOf = (name: string) => join(folder, "models", `${name}.safetensors`);
    return {
      records,
      async append(record) {
        const file = await open(path, "a");
        try {
          await file.appendFile(`${JSON.stringify(record)}\n`);
          await file.sync();
        } finally {
          await file.close();
        }
        records.push(record);
      },
      keep: (name, model) => saveModel(pathOf(name), model, { force: true }),
      // Missing or damaged: the model is made again, with the same result.
      model: (name) => loadModel(pathOf(name)).catch(lacking),
      unfinished: new RunStore(join(folder, "unfinished")),
      close: release,
    };
  } catch (error) {
    await release();
    throw error;
  }
}

/** The records of a file; a line that was cut off is removed. */
async function recordsIn(path: string) {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
  const { records, whole } = parseRecords(text, path);
  if (whole < Buffer.byteLength(text)) {
    const file = await open(path, "r+");
    await file.truncate(whole);
    await file.close();
  }
  return records;
}

function lacking(error: unknown): undefined {
  if (error instanceof EspalierError) return undefined;
  throw error;
}
