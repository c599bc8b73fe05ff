import { account, digest, EspalierError, type Json, type Model } from "@espalier/core";
import { canonicalJson, sha256 } from "@espalier/core/documents";
import type { Goal } from "./goal.ts";
import type { HeaderRecord, SearchRecord } from "./records.ts";
import type { Settings } from "./settings.ts";
import type { SearchSpace } from "./space/space.ts";
import type { Work } from "./work.ts";

/** Windows of validation below which an error decides nothing. */
const fewestWindows = 30;

/** What a search's proposals depend on, besides the data. */
export interface Identity {
  readonly model: Model;
  readonly goal: Goal;
  readonly settings: Settings;
  readonly space: SearchSpace;
}

/**
 * The hash that stands for a search. Throws an EspalierError if there are too few windows to validate on, and if the records
 * are of another search.
 */
export async function nameOfSearch(
  { model, goal, settings, space }: Identity,
  work: Work,
  [known]: readonly SearchRecord[],
): Promise<string> {
  const { validation, name, checksum } = await work.data();
  if (validation.count < fewestWindows)
    throw new EspalierError(
      `data ${name}: ${validation.count} windows to validate on are too few to choose by; at least ${fewestWindows} are needed. Give more rows, or a larger share for validation.`,
    );
  const { parameters, seeds } = space;
  const identity = { goal, settings, parameters, seeds: seeds ?? [], model: digest(model), data: checksum };
  const text = canonicalJson(JSON.parse(JSON.stringify(identity)));
  const hash = sha256(new TextEncoder().encode(text)).slice(0, 24);
  if (known === undefined || (known.kind === "search" && known.search === hash)) return hash;
  throw new EspalierError(
    "the search that is kept there has another goal, model, data, space or settings. Choose another folder, or start again.",
  );
}

/** The first record of a search. Measures the dense model. */
export async function headerOf(
  search: string,
  { model, goal, settings }: Identity,
  work: Work,
  environment: Json | undefined,
): Promise<HeaderRecord> {
  const { name, checksum } = await work.data();
  const { bytes, flops } = account(model);
  return {
    format: 1,
    kind: "search",
    search,
    goal,
    settings,
    model: { name: model.name, digest: digest(model), bytes: bytes.stored, flops: flops.effective },
    data: { name, checksum },
    dense: await work.measure(model),
    ...(environment !== undefined && { environment }),
  };
}
