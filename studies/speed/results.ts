import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { readResults } from "@espalier/bench";
import { type PeerResults, parsePeerResults } from "../peers/results.ts";
import { type Findings, findingsOf } from "./outcomes.ts";

/** A study with its times. */
export interface SpeedStudy {
  /** Name of its sweep file. */
  readonly name: string;
  readonly findings: Findings;
  readonly times: PeerResults;
}

const folder = new URL("../../results/speed/", import.meta.url).pathname;

/** Committed files of a study: what its sweep measured, and the times. */
export const filesOf = (name: string) => ({
  errors: join(folder, `${name}.jsonl`),
  times: join(folder, `${name}-times.json`),
});

/** A study as it is committed. Undefined until it has results to compare. */
export async function speedStudy(name: string): Promise<SpeedStudy | undefined> {
  const { errors, times } = filesOf(name);
  if (!existsSync(errors)) return undefined;
  const findings = findingsOf(await readResults(errors));
  if (findings === undefined) return undefined;
  return { name, findings, times: parsePeerResults(await readFile(times, "utf8"), times) };
}
