import { EspalierError, type Model } from "@espalier/core";
import { refuseNewerFormat } from "@espalier/core/documents";
import type { RunCheckpoint } from "@espalier/recipe";
import type { SearchRecord } from "./records.ts";

/** Storage for a search: records, which are only ever appended, and models by name. */
export interface SearchStore {
  readonly records: readonly SearchRecord[];
  /** Stored for good when the promise resolves. */
  append(record: SearchRecord): Promise<void>;
  /** Keeps a model under a name. */
  keep(name: string, model: Model): Promise<void>;
  /** A kept model; undefined if it is missing. */
  model(name: string): Promise<Model | undefined>;
  /** The trial in progress, so that it continues after its last epoch. */
  readonly unfinished?: {
    /** Keeps the state of the trial that runs. */
    save(checkpoint: RunCheckpoint): Promise<void>;
    /** The state that a stopped process left; undefined if there is none. */
    load(): Promise<RunCheckpoint | undefined>;
    /** Forgets it, because the trial has ended. */
    clear(): Promise<void>;
  };
}

/** Keeps everything in memory. */
export function memoryStore(records: readonly SearchRecord[] = []): SearchStore {
  const all = [...records];
  const models = new Map<string, Model>();
  return {
    records: all,
    append: async (record) => void all.push(record),
    keep: async (name, model) => void models.set(name, model),
    model: async (name) => models.get(name),
  };
}

/**
 * Reads the lines of a search's file, and how many bytes of it are whole lines: a crash may have cut off the last one.
 * Throws an EspalierError for any other damage.
 */
export function parseRecords(text: string, where: string): { records: SearchRecord[]; whole: number } {
  const end = text.lastIndexOf("\n") + 1;
  const lines = text.slice(0, end).split("\n");
  const records = lines.flatMap((line, i) =>
    line === "" ? [] : [parseLine(line, `${where}, line ${i + 1}`)],
  );
  if (records.length > 0 && records[0]!.kind !== "search")
    throw new EspalierError(`${where}: does not begin with the search that it belongs to.`);
  return { records, whole: new TextEncoder().encode(text.slice(0, end)).length };
}

const kinds: readonly unknown[] = ["search", "candidate", "trial", "test"] satisfies SearchRecord["kind"][];

function parseLine(line: string, where: string): SearchRecord {
  let record: unknown;
  try {
    record = JSON.parse(line);
  } catch {
    throw new EspalierError(`${where}: not JSON. Restore the file, or choose another folder.`);
  }
  refuseNewerFormat(record, "search", where);
  if (!kinds.includes((record as Partial<SearchRecord> | null)?.kind))
    throw new EspalierError(`${where}: not a record of a search.`);
  return record as SearchRecord;
}
