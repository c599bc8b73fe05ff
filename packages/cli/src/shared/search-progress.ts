import { formatDuration, formatError, formatShare, plural } from "@espalier/report/text";
import type { SearchEvent, SearchRecord, TrialRecord } from "@espalier/search";
import type { Context } from "../context.ts";
import type { Bar } from "../output/progress.ts";

/** Share of the budget after which the pace is reliable. */
const settled = 0.02;

/** Shows a search: a bar over its budget, and a line for everything that was found. */
export function showSearch(
  bar: Bar,
  { noteColors: c }: Context,
): {
  readonly onEvent: (event: SearchEvent) => void;
  /** Told how many workers a queue has. */
  readonly onWorkers: (workers: number) => void;
} {
  let label = "search";
  let workers: number | undefined;
  let share = 0;
  let begin: { readonly at: number; readonly share: number } | undefined;
  const update = (detail?: string) => bar.update({ label, share, remaining: remaining(), detail });
  /** By the pace since this command began: a search that is continued was partly done before. */
  const remaining = () => {
    if (begin === undefined || share - begin.share < settled) return null;
    return (((performance.now() - begin.at) / 1000) * (1 - share)) / (share - begin.share);
  };
  const onWorkers = (count: number) => {
    workers = count;
    update();
  };
  const onEvent = (event: SearchEvent) => {
    if (event.kind === "started") {
      const { of, epochs, seed } = event.task;
      label =
        workers === undefined
          ? `${nameOf(of)}, ${plural(epochs, "epoch")}, seed ${seed}`
          : `${plural(event.inFlight, "fine-tuning")} in flight, ${plural(workers, "worker")}`;
      share = event.done;
      begin ??= { at: performance.now(), share };
      update();
    } else if (event.kind === "run") {
      const { event: inner } = event;
      if (inner.kind === "epoch") update(`epoch ${inner.record.epoch}`);
      else if (inner.kind === "progress") update();
    } else {
      const line = lineOf(event.record);
      if (line !== undefined) bar.line("error" in event.record && event.record.error ? c.dim(line) : line);
    }
  };
  return { onEvent, onWorkers };
}

function lineOf(record: SearchRecord): string | undefined {
  if (record.kind === "candidate") {
    const { candidate, from, oneShot, error } = record;
    const source = { model: "estimator", limit: "size at the limit" }[from] ?? from;
    const outcome = oneShot === undefined ? error! : `one-shot MSE ${formatError(oneShot)}`;
    return `candidate ${candidate} (${source}): ${outcome}`;
  }
  if (record.kind === "trial") return trialLine(record);
  if (record.kind === "test") return `test ${record.model}: MSE ${formatError(record.mse)}`;
  return `dense: validation MSE ${formatError(record.dense.validation.mse)}`;
}

function trialLine({ of, epochs, seed, result, error, seconds }: TrialRecord): string {
  const what = `${nameOf(of)}, ${plural(epochs, "epoch")}, seed ${seed}`;
  if (result === undefined) return `${what}: ${error}`;
  const { validation, bytes, flops, latency } = result;
  const time = latency === undefined ? "" : `, ${formatShare(latency.share, 1)} of the time`;
  return `${what}: validation MSE ${formatError(validation.mse)}, ${formatShare(bytes, 2)} of the bytes, ${formatShare(flops, 2)} of the FLOPs${time}  ${formatDuration(seconds)}`;
}

function nameOf(of: number | string): string {
  return typeof of === "number" ? `candidate ${of}` : of;
}
