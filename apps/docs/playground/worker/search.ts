import { EspalierError, type Model } from "@espalier/core";
import type { Recipe, Workbench } from "@espalier/recipe";
import { type SearchEvent, search } from "@espalier/search";
import { createPause } from "@espalier/training";
import type { Found, Tried, Wish } from "../protocol.ts";
import type { Work } from "./work.ts";

/** An epoch takes a fraction of a second on so few rows, so there may be many. One seed, for the budget is a minute. */
const settings = { epochs: 27, repeats: 1 } as const;

interface FindRequest {
  readonly model: Model;
  readonly wish: Wish;
  readonly workbench: Workbench;
}

/** The smallest model within an error, its recipe, and everything that was tried on the way. */
export async function findSmallest(
  { model, wish: { percent, seconds }, workbench }: FindRequest,
  { signal, onProgress }: Work,
): Promise<Pick<Found, "tried" | "best"> & { readonly model: Model; readonly recipe: Recipe }> {
  const pause = createPause();
  const start = performance.now();
  const found: { digest: string; bytes: number; mse: number }[] = [];
  let tried: Tried | undefined;
  const say = () => {
    const spent = (performance.now() - start) / 1000;
    onProgress({
      what: `Searching, ${found.length} models so far`,
      share: Math.min(1, spent / seconds),
      remaining: Math.max(0, seconds - spent),
      ...(tried && { tried }),
    });
  };
  const onEvent = async (event: SearchEvent): Promise<void> => {
    if (event.kind === "record") {
      const { record } = event;
      if (record.kind === "search") {
        const dense = record.dense.validation.mse;
        tried = { dense, allowed: dense * (1 + percent / 100), models: [] };
      } else if (record.kind === "trial" && record.result !== undefined) {
        const { digest, bytes, validation } = record.result;
        found.push({ digest, bytes, mse: validation.mse });
        tried = { ...tried!, models: found.map(({ bytes, mse }) => ({ bytes, mse })) };
      }
    }
    say();
    await pause();
  };
  const { ended, chosen, unmet } = await search({
    model,
    goal: { minimize: "bytes", error: `+${percent}%` },
    ...{ workbench, settings, seconds, signal, onEvent },
  });
  if (ended === "aborted") throw signal.reason;
  if (chosen === undefined) throw new EspalierError(`${unmet!.why.replace(/\.$/, "")}.`);
  const best = found.findIndex(({ digest }) => digest === chosen.mean.digest);
  return { model: chosen.model, recipe: chosen.recipe, tried: tried!, best };
}
