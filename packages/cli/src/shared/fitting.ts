import { formatDuration, formatError } from "@espalier/report/text";
import { type EpochRecord, type OnProgress, readSettings } from "@espalier/training";
import type { Context } from "../context.ts";
import type { Bar } from "../output/progress.ts";

export interface ShownFit {
  readonly onProgress: OnProgress;
  readonly onEpoch: (record: EpochRecord) => void;
}

/** Shows a fit: a bar over all epochs, and a line for each finished epoch. */
export function showFit(
  bar: Bar,
  context: Context,
  fit: {
    readonly epochs?: number | undefined;
    readonly done?: readonly EpochRecord[];
    readonly title?: string;
  },
): ShownFit {
  const { epochs: total } = readSettings(fit.epochs === undefined ? {} : { epochs: fit.epochs });
  const { noteColors: c } = context;
  let finished = fit.done?.length ?? 0;
  let best = fit.done?.findLast((record) => record.best);
  const width = `${total}`.length;
  return {
    onProgress: ({ done, total: steps, loss }) =>
      bar.update({
        label: `${fit.title ?? "epoch"} ${finished + 1} of ${total}`,
        share: done / steps,
        detail: loss === undefined ? undefined : `loss ${formatError(loss)}`,
      }),
    onEpoch(record) {
      finished = record.epoch;
      if (record.best) best = record;
      // While masks tighten no epoch counts as the best one yet.
      const earlier = best === undefined ? "" : c.dim(`best: ${best.epoch}`);
      const mark = record.best ? c.green("best") : earlier;
      const { mse, mae } = record.validation;
      const label = `${fit.title ?? "epoch"} ${`${record.epoch}`.padStart(width)}`;
      bar.line(
        `${label}  train ${formatError(record.trainLoss)}  validation MSE ${formatError(mse)}, MAE ${formatError(mae)}  ${formatDuration(record.seconds)}  ${mark}`,
      );
    },
  };
}

/** A bar over the windows of an evaluation. */
export function showEvaluation(bar: Bar, label: string): OnProgress {
  return ({ done, total, remaining }) => bar.update({ label, share: done / total, remaining });
}
