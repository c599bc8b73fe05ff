import { Bench } from "tinybench";
import type { Timing } from "../results/records.ts";
import { quantile } from "./quantile.ts";

/** A task whose runs are timed against those of others. */
export interface Contender {
  readonly name: string;
  /** Runs once; the result is ignored. */
  run(): Promise<unknown>;
}

/** Duration and rounds of a measurement. */
export interface AlternateOptions {
  /** Milliseconds of timing for each contender, over all rounds. */
  readonly time: number;
  /** Minimum number of samples per contender, over all rounds. */
  readonly samples: number;
  /** Number of rounds; 7 by default. */
  readonly rounds?: number;
  /** Untimed runs per contender at the start; 3 by default. */
  readonly warmup?: number;
  readonly signal?: AbortSignal;
  /** Called after each round. */
  readonly onRound?: (done: number, rounds: number) => void;
}

/** Times of one contender, in milliseconds per run. */
export interface Measurement {
  readonly timing: Timing;
  /** The median of each round. */
  readonly rounds: readonly number[];
}

/** Median over rounds of the ratio of two contenders' times, and half its interquartile range. */
export interface Ratio {
  readonly median: number;
  readonly spread: number;
}

/**
 * Times contenders in turn in this process, so that a slow moment of the machine affects all of them. Every other round
 * is in reverse order. Returns measurements in the order of the contenders.
 */
export async function alternate(
  contenders: readonly Contender[],
  options: AlternateOptions,
): Promise<Measurement[]> {
  const { time, samples, rounds = 7, warmup = 3, signal, onRound } = options;
  const medians = contenders.map((): number[] => []);
  const all = contenders.map((): number[] => []);
  for (let round = 0; round < rounds; round++) {
    // Promises alone never yield to events: without this, neither a Ctrl-C nor a message would be handled before the
    // last round.
    await new Promise((resolve) => setTimeout(resolve));
    signal?.throwIfAborted();
    const bench = new Bench({
      time: time / rounds,
      iterations: Math.ceil(samples / rounds),
      warmup: round === 0 && warmup > 0,
      warmupTime: Math.min(100, time / 4),
      warmupIterations: warmup,
      retainSamples: true,
      throws: true,
    });
    const turns = round % 2 === 0 ? contenders : contenders.toReversed();
    for (const { name, run } of turns) bench.add(name, async () => void (await run()));
    await bench.run();
    contenders.forEach(({ name }, i) => {
      const { result } = bench.getTask(name)!;
      const times = "latency" in result ? (result.latency.samples ?? []) : [];
      medians[i]!.push(quantile(times, 0.5));
      all[i]!.push(...times);
    });
    onRound?.(round + 1, rounds);
  }
  return contenders.map((_, i) => ({ timing: timing(all[i]!), rounds: medians[i]! }));
}

/** The time of `slow` divided by that of `fast`; both must come from the same call of `alternate`. */
export function ratioOf(slow: Measurement, fast: Measurement): Ratio {
  const ratios = slow.rounds.map((milliseconds, i) => milliseconds / fast.rounds[i]!);
  return { median: quantile(ratios, 0.5), spread: spreadOf(ratios) };
}

function timing(samples: readonly number[]): Timing {
  return { median: quantile(samples, 0.5), spread: spreadOf(samples), samples: samples.length };
}

function spreadOf(numbers: readonly number[]): number {
  return (quantile(numbers, 0.75) - quantile(numbers, 0.25)) / 2;
}
