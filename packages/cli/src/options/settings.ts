import { basename } from "node:path";
import { EspalierError } from "@espalier/core";
import { readBytes } from "@espalier/formats/node";
import { parse } from "yaml";
import { z } from "zod";
import type { Assignment } from "./values.ts";

/** Options as data, from `--set` and `--options`. */
export type Settings = Readonly<Record<string, unknown>>;

const settingsSchema = z.record(z.string(), z.unknown());

/** Values of `--set`, read as YAML: numbers, true and false, `[a, b]`, else text. A later one wins. */
export function settingsOf(assignments: readonly Assignment[] = []): Settings {
  return Object.fromEntries(assignments.map(({ key, value }) => [key, parsedValue(value)]));
}

function parsedValue(text: string): unknown {
  try {
    return parse(text) ?? text;
  } catch {
    return text;
  }
}

/** Reads options from a JSON or YAML file. */
export async function readSettings(path: string): Promise<Settings> {
  const text = new TextDecoder().decode(await readBytes(path, "options"));
  let raw: unknown;
  try {
    raw = parse(text, { maxAliasCount: 50 });
  } catch {
    throw new EspalierError(`options ${basename(path)}: not valid YAML or JSON.`);
  }
  const parsed = settingsSchema.safeParse(raw);
  if (!parsed.success)
    throw new EspalierError(`options ${basename(path)}: expected a mapping from option names to values.`);
  return parsed.data;
}
