/** Progress of a long operation. */
export interface Progress {
  /** The current activity: "epoch 2 of 5", "test". */
  readonly what: string;
  readonly done: number;
  readonly total: number;
  /** Seconds since it began, and an estimate of those that remain. */
  readonly elapsed: number;
  readonly remaining: number;
  /** Latest loss, if there is one. */
  readonly loss?: number;
}

/** Called with the progress of an operation. */
export type OnProgress = (progress: Progress) => void;

/**
 * Measures time since its creation, and reports it with an estimate of the rest.
 *
 * @param before how much was done before, such as by an earlier process.
 */
export function progressReporter(
  total: number,
  report: OnProgress | undefined,
  before = 0,
): (done: number, what: string, loss?: number) => void {
  const start = performance.now();
  let first: { readonly done: number; readonly at: number } | undefined;
  return (done, what, loss) => {
    if (report === undefined) return;
    const now = performance.now();
    // The first step also compiles; the pace comes from the others.
    first ??= { done, at: now };
    const pace =
      done > first.done ? (now - first.at) / (done - first.done) : (now - start) / Math.max(1, done - before);
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
