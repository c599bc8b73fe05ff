/** How far something that takes long has come. */
export interface Progress {
  /** What is going on: "epoch 2 of 5", "test". */
  readonly what: string;
  readonly done: number;
  readonly total: number;
  /** Seconds since it began, and an estimate of those that remain. */
  readonly elapsed: number;
  readonly remaining: number;
  /** Latest loss, where there is one. */
  readonly loss?: number;
}

/** Told how far something has come. */
export type OnProgress = (progress: Progress) => void;

/** Measures time from its making, and reports with an estimate of what remains. */
export function progressReporter(
  total: number,
  report: OnProgress | undefined,
): (done: number, what: string, loss?: number) => void {
  const start = performance.now();
  let first: { readonly done: number; readonly at: number } | undefined;
  return (done, what, loss) => {
    if (report === undefined) return;
    const now = performance.now();
    // The first step also compiles; the pace is taken from the others.
    first ??= { done, at: now };
    const pace =
      done > first.done ? (now - first.at) / (done - first.done) : (now - start) / Math.max(1, done);
    const remaining = (pace * (total - done)) / 1000;
    report({
      what,
      done,
      total,
      elapsed: (now - start) / 1000,
      remaining,
      ...(loss === undefined ? {} : { loss }),
    });
  };
}
