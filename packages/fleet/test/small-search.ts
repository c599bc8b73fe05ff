import { loadSynthetic } from "@espalier/datasets";
import type { SearchRequest } from "@espalier/search";
import { forecastingDataFor } from "@espalier/training";
import { model, registry, request as small, workbench } from "../../search/test/small.ts";
import { SearchQueue, type SearchQueueOptions } from "../src/index.ts";

const synthetic = { rows: 500, series: 2 };

/** The data as a worker reads it. */
export const data = forecastingDataFor(model, await loadSynthetic(synthetic));

/** A search that takes seconds, and the queue to run its trials by. */
export function searchOver(
  url: string,
  options: Partial<SearchQueueOptions> = {},
): { readonly request: SearchRequest; readonly queue: SearchQueue } {
  const { checksum } = data;
  const queue = new SearchQueue({
    ...{ queue: url, model, registry, lease: 10, losses: 20 },
    data: { dataset: "synthetic", reading: { synthetic }, checksum },
    ...options,
  });
  const request = { ...small, workbench: { ...workbench, data: async () => data }, evaluations: 6 };
  return { request, queue };
}
