import { EspalierError } from "../errors.ts";
import type { Model } from "../model/model.ts";
import type { LatencyMeter, TimeShare } from "./latency.ts";
import type { LatencyTry, PruningPlan, TargetReport } from "./plan.ts";
import { prune } from "./prune.ts";
import type { Collect, Strategy } from "./strategy.ts";
import { countedLeft, type Goal, leftOf, readTarget, type Target } from "./target.ts";

/** Input of the search for a target. */
export interface MeetRequest {
  readonly model: Model;
  readonly collect?: Collect;
  /** Required if the target names latency. */
  readonly latency?: LatencyMeter;
  readonly signal?: AbortSignal;
  /** Tolerance of counted goals, as a share of the unpruned model; 0.02 by default. */
  readonly tolerance?: number;
  /** Tolerance of latency; 0.05 by default. If times spread by more than that, their spread. */
  readonly latencyTolerance?: number;
  /** Called after each amount that was tried. */
  readonly onTry?: (tried: Tried) => void;
}

/** One step of the search for an amount. */
export interface Tried {
  readonly amount: number;
  /** Progress of the search, from 0 to 1; it may end sooner. */
  readonly progress: number;
  /** The measured time, if the plan was timed. */
  readonly latency?: TimeShare;
}

/** Largest amount to try. */
const maxAmount = 1 - 2 ** -20;
/** Distance at which the search stops: counting is exact, timing is not. */
const tolerances = { counted: 2e-4, timed: 0.02 };
/** Maximum number of bisection steps: counting a plan takes no time, timing one takes seconds. */
const halvings = { counted: 24, timed: 10 };

/**
 * Finds the smallest amount at which a strategy's plan reaches a target, by bisection. If it cannot be reached, returns
 * the nearest plan, whose `target` says that it is not met and why. Latency is searched among the amounts that meet all
 * other goals; a plan that seems to meet it is timed a second time, so that a lucky measurement does not decide.
 */
export async function meet(target: Target, strategy: Strategy, request: MeetRequest): Promise<PruningPlan> {
  const search = new Search(readTarget(target), strategy, request);
  await search.count();
  await search.time();
  return search.result();
}

/** A plan that was tried. */
interface Attempt {
  readonly amount: number;
  readonly plan: PruningPlan;
  /** The mean of all its timings; absent if it was not timed. */
  timed?: TimeShare & { readonly times: number };
}

class Search {
  readonly #goals: readonly Goal[];
  readonly #strategy: Strategy;
  readonly #request: MeetRequest;
  readonly #attempts: Attempt[] = [];
  readonly #tries: LatencyTry[] = [];

  constructor(goals: readonly Goal[], strategy: Strategy, request: MeetRequest) {
    this.#goals = goals;
    this.#strategy = strategy;
    this.#request = request;
    if (this.#asked("latency") !== undefined && request.latency === undefined)
      throw new EspalierError("a latency target needs a meter: give `latency`.");
  }

  /** Finds the smallest amount at which all counted goals are reached. */
  async count(): Promise<void> {
    const counted = this.#goals.filter(({ metric }) => metric !== "latency");
    const start = await this.#at(0, 0);
    if (counted.length === 0) return;
    const excess = (attempt: Attempt) => Math.min(...counted.map((goal) => this.#excess(attempt, goal)));
    if (excess(start) >= 0 || excess(await this.#at(maxAmount, 0)) <= 0) return;
    // The requested value is the best first guess; after that the bracket is halved.
    const first = Math.max(...counted.map(({ metric, asked }) => 1 - leftOf(metric, asked)));
    let [low, high] = [0, maxAmount];
    let guess = Math.min(Math.max(first, 2 ** -20), 0.999);
    for (let i = 0; i < halvings.counted && high - low > 2 ** -16; i++) {
      const progress = Math.min(1, Math.log2(high - low) / Math.log2(tolerances.counted));
      const tried = excess(await this.#at(guess, progress));
      if (Math.abs(tried) < tolerances.counted) return;
      if (tried < 0) low = guess;
      else high = guess;
      guess = (low + high) / 2;
    }
  }

  /** Continues to larger amounts until the time is short enough. */
  async time(): Promise<void> {
    const asked = this.#asked("latency");
    if (asked === undefined) return;
    const start = this.#goals.length === 1 ? this.#attempts[0]! : this.#nearest(this.#attempts);
    await this.#timeTwice(start, asked, 0);
    if (start.timed!.share <= asked || start.amount === maxAmount) return;
    const end = await this.#at(maxAmount);
    await this.#timeTwice(end, asked, 1 / halvings.timed);
    if (end.timed!.share > asked) return;
    let [low, high] = [start.amount, maxAmount];
    // Interpolates as if time fell linearly between the two; after that the bracket is halved.
    const fall = (start.timed!.share - asked) / (start.timed!.share - end.timed!.share);
    let guess = low + (high - low) * Math.min(Math.max(fall, 0.05), 0.95);
    for (let i = 0; i < halvings.timed && high - low > 2 ** -10; i++) {
      const attempt = await this.#at(guess);
      await this.#timeTwice(attempt, asked, (i + 2) / (halvings.timed + 2));
      if (isHit(attempt, asked)) return;
      if (attempt.timed!.share > asked) low = guess;
      else high = guess;
      guess = (low + high) / 2;
    }
  }

  /** The nearest plan, with the outcome of the target. */
  result(): PruningPlan {
    const asked = this.#asked("latency");
    const candidates = this.#attempts.filter(({ timed }) => asked === undefined || timed !== undefined);
    const nearest = this.#nearest(candidates);
    const deciding = this.#deciding(nearest);
    const reports = this.#goals.map((goal) => this.#report(goal, nearest));
    const others = reports.filter(({ metric }) => metric !== deciding.metric);
    const met = Math.abs(this.#margin(nearest, deciding)) <= 1;
    const target: TargetReport = {
      ...reports.find(({ metric }) => metric === deciding.metric)!,
      met,
      ...(met ? {} : { why: this.#reason(deciding, nearest, candidates) }),
      ...(others.length === 0 ? {} : { others }),
    };
    return { ...nearest.plan, target };
  }

  async #at(amount: number, progress?: number): Promise<Attempt> {
    const known = this.#attempts.find((attempt) => attempt.amount === amount);
    if (known !== undefined) return known;
    this.#request.signal?.throwIfAborted();
    const attempt: Attempt = { amount, plan: await this.#strategy.plan({ ...this.#request, amount }) };
    this.#attempts.push(attempt);
    if (progress !== undefined) this.#request.onTry?.({ amount, progress });
    return attempt;
  }

  /** Times a plan; one that hits the goal is timed a second time. */
  async #timeTwice(attempt: Attempt, asked: number, progress: number): Promise<void> {
    // Heads and blocks are removed whole: neighbouring amounts may have the same plan.
    const same = this.#attempts.find((other) => other.timed !== undefined && isSame(other, attempt));
    if (same !== undefined) {
      attempt.timed = same.timed!;
      return;
    }
    await this.#timeOnce(attempt, progress);
    if (isHit(attempt, asked)) await this.#timeOnce(attempt, progress);
  }

  async #timeOnce(attempt: Attempt, progress: number): Promise<void> {
    const { model, latency, signal, onTry } = this.#request;
    signal?.throwIfAborted();
    const { amount, plan, timed: before } = attempt;
    const { share, spread } = await latency!.measure(prune(model, plan));
    const times = (before?.times ?? 0) + 1;
    const mean = before === undefined ? share : before.share + (share - before.share) / times;
    attempt.timed = { share: mean, spread: Math.max(before?.spread ?? 0, spread), times };
    this.#tries.push({ amount, share, spread });
    onTry?.({ amount, progress, latency: { share, spread } });
  }

  #asked(metric: Goal["metric"]): number | undefined {
    return this.#goals.find((goal) => goal.metric === metric)?.asked;
  }

  /** Share of the unpruned model's count or time that remains. */
  #left({ plan, timed }: Attempt, { metric }: Goal): number {
    return metric === "latency" ? timed!.share : countedLeft(metric, plan.expected, this.#request.model);
  }

  /** How much more than requested is removed. */
  #excess(attempt: Attempt, goal: Goal): number {
    return leftOf(goal.metric, goal.asked) - this.#left(attempt, goal);
  }

  /** The excess in units of the tolerance. */
  #margin(attempt: Attempt, goal: Goal): number {
    const excess = this.#excess(attempt, goal);
    return excess === 0 ? 0 : excess / this.#allowed(attempt, goal);
  }

  /** The tolerance of a goal for an attempt. */
  #allowed(attempt: Attempt, goal: Goal): number {
    const { tolerance = 0.02, latencyTolerance = 0.05 } = this.#request;
    return goal.metric === "latency" ? Math.max(latencyTolerance, attempt.timed!.spread) : tolerance;
  }

  /**
   * The goal that an attempt misses by most, or reaches most narrowly; an attempt that was not timed is judged by its
   * counts.
   */
  #deciding(attempt: Attempt): Goal {
    const known = this.#goals.filter(({ metric }) => metric !== "latency" || attempt.timed !== undefined);
    return known.reduce((a, b) => (this.#margin(attempt, b) < this.#margin(attempt, a) ? b : a));
  }

  #nearest(attempts: readonly Attempt[]): Attempt {
    const distance = (attempt: Attempt) => Math.abs(this.#margin(attempt, this.#deciding(attempt)));
    return attempts.reduce((a, b) => (distance(b) < distance(a) ? b : a));
  }

  #report(goal: Goal, nearest: Attempt): TargetReport {
    const { metric, asked } = goal;
    const achieved = leftOf(metric, this.#left(nearest, goal));
    const report = { metric, asked, achieved, met: this.#margin(nearest, goal) >= -1 };
    if (metric !== "latency") return report;
    const { spread } = nearest.timed!;
    return { ...report, measured: { on: this.#request.latency!.on, spread, tries: this.#tries } };
  }

  #reason(deciding: Goal, nearest: Attempt, all: readonly Attempt[]): string {
    const { steps, notes } = nearest.plan;
    if (notes.length > 0 && steps.length === 0) return notes.join("; ");
    const { name } = this.#strategy;
    const left = `${(100 * this.#left(nearest, deciding)).toFixed(1)} % of the ${this.#nameOf(deciding)}`;
    const margins = all.map((attempt) => this.#margin(attempt, this.#deciding(attempt)));
    if (margins.every((margin) => margin < 0))
      return `with everything that "${name}" may remove, ${left} remain`;
    if (margins.every((margin) => margin > 0)) return `the model already has only ${left}`;
    const within = `${Number((100 * this.#allowed(nearest, deciding)).toFixed(1))} %`;
    return `"${name}" removes too much at a time to come within ${within} of it; nearest: ${left} remain`;
  }

  #nameOf({ metric }: Goal): string {
    if (metric === "latency") return `time on ${this.#request.latency!.on}`;
    return metric === "sparsity" ? "parameters" : metric;
  }
}

/** Whether a time is close enough to the goal to end the search. */
function isHit({ timed }: Attempt, asked: number): boolean {
  return Math.abs(timed!.share - asked) <= Math.max(tolerances.timed, timed!.spread / 2);
}

/** Plans of one strategy for one model with equal counts are the same. */
function isSame({ plan: a }: Attempt, { plan: b }: Attempt): boolean {
  const counts = ({ expected: e, steps }: PruningPlan) =>
    [steps.length, e.parameters, e.nonzero, e.flops, e.bytes].join();
  return counts(a) === counts(b);
}
