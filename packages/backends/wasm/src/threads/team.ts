import type { Call } from "../compile/call.ts";
import type { Memory } from "../memory/memory.ts";
import { kernelNames } from "../modules/names.ts";
import type { Surroundings } from "./divide/divider.ts";
import { divide } from "./divide/index.ts";
import { Job, type PartCall } from "./job.ts";
import { PartError } from "./part-error.ts";
import { Reserve } from "./reserve.ts";
import { startThread, type Thread } from "./worker.ts";

/** Characters of a failure's message that come back. */
const maxText = 160;
/**
 * Shared state of the threads, as int32 words; words that many write have a cache line of their own. Each thread has a queue of
 * parts: `next` and `limit` of a queue, like `done`, count parts from the beginning of time, and wrap around.
 */
const words = {
  /** Changes with every set of parts. */
  round: 0,
  done: 16,
  /** Workers that sleep, and whether this thread does. */
  sleepers: 32,
  waiting: 33,
  /** Number of the part that failed, plus 1; which of its calls. */
  failed: 34,
  failedCall: 35,
  job: 48,
  version: 49,
  textLength: 50,
  text: 64,
  maxText,
  /** Start of the queues, and the length of one. */
  queues: 64 + maxText,
  queue: 16,
  next: 0,
  limit: 1,
  /** Number from which parts are counted. */
  base: 2,
} as const;

/** Milliseconds that a worker looks for parts before it sleeps: what calls between two shared ones take at small batches. */
const patience = 0.3;
/** Milliseconds that this thread watches workers finish before it sleeps: then one is away, and may need this processor. */
const joinPatience = 0.05;
/** Milliseconds in which something must be finished. */
const longest = 60_000;

/**
 * The threads that work on one memory: this one, and workers. A job's parts are taken by whoever is free, this thread
 * among them, so that a worker that comes late, or is no more, costs time and nothing else.
 */
export class Team {
  readonly threads: number;
  readonly #heap: Memory;
  readonly #workers: Thread[];
  readonly #words: Int32Array;
  readonly #reserve = new Reserve();
  #done = 0;
  #versions = 0;

  private constructor(heap: Memory, control: number, threads: number, workers: Thread[]) {
    this.#heap = heap;
    this.threads = threads;
    this.#workers = workers;
    this.#words = heap.integers(control, wordCount(threads));
    abandoned.register(this, workers, this);
  }

  /** Throws an EspalierError if a worker does not start; those that did are ended. */
  static async start(heap: Memory, memory: WebAssembly.Memory, module: WebAssembly.Module, threads: number) {
    const count = wordCount(threads);
    const control = heap.allocate(4 * count, "messages between threads");
    heap.integers(control, count).fill(0);
    const message = { module, memory, control, count, words, threads, kernels: kernelNames, patience };
    const numbers = Array.from({ length: threads - 1 }, (_, i) => i + 1);
    const started = await Promise.allSettled(numbers.map((thread) => startThread({ ...message, thread })));
    const workers = started.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    const failed = started.find((one) => one.status === "rejected");
    if (failed !== undefined) {
      for (const worker of workers) worker.end();
      throw heap.failure(
        `a worker could not be started: ${(failed.reason as Error).message}. Use fewer threads, or one.`,
      );
    }
    return new Team(heap, control, threads, workers);
  }

  /** A call as calls that threads may run at once: itself if it is too small, or its kernel cannot be divided. */
  divide(call: Call, surroundings: Surroundings): readonly Call[] {
    return divide(call, this.threads, surroundings);
  }

  /** Calls in parts, to be run as often as wanted. One list: every part's. */
  job(lists: readonly (readonly PartCall[])[]): Job {
    this.#versions++;
    return new Job(this.#heap, lists, this.#versions);
  }

  /**
   * Runs parts of a job, all threads together: neighbouring parts on one thread, so that it finds in its cache what it
   * wrote there before. Throws a PartError where one fails, once no thread works on any.
   */
  run(job: Job, first: number, count: number): void {
    const start = performance.now();
    if (!this.#reserve.isOver(start)) {
      for (let part = first; part < first + count; part++) job.run(part);
      const time = performance.now() - start;
      this.#reserve.learn(start, job.fastest, { first, count, own: count, ownTime: time, time });
      return;
    }
    const shared = this.#words;
    shared[words.job] = job.address;
    shared[words.version] = job.version;
    const until = (thread: number) => Math.floor((thread * count) / this.threads);
    for (let thread = 0; thread < this.threads; thread++) {
      const queue = words.queues + thread * words.queue;
      const start = until(thread);
      const next = shared[queue + words.next]!;
      shared[queue + words.base] = (next - first - start) | 0;
      Atomics.store(shared, queue + words.limit, (next + until(thread + 1) - start) | 0);
    }
    Atomics.add(shared, words.round, 1);
    if (Atomics.load(shared, words.sleepers) > 0) Atomics.notify(shared, words.round, count - 1);
    let failure: PartError | undefined;
    let own = 0;
    for (let thread = 0; thread < this.threads; thread++) {
      for (let part = this.#take(thread); part !== undefined; part = this.#take(thread)) {
        try {
          job.run(part);
        } catch (error) {
          failure ??= error as PartError;
        }
        Atomics.add(shared, words.done, 1);
        own++;
      }
    }
    const ownTime = performance.now() - start;
    this.#done = (this.#done + count) | 0;
    this.#join(this.#done);
    const end = performance.now();
    this.#reserve.learn(end, job.fastest, { first, count, own, ownTime, time: end - start });
    failure ??= this.#workersFailure();
    if (failure !== undefined) throw failure;
  }

  /** The next part of a thread's queue. The worker's own is the same: see worker-source.ts. */
  #take(thread: number): number | undefined {
    const shared = this.#words;
    const queue = words.queues + thread * words.queue;
    for (;;) {
      const limit = Atomics.load(shared, queue + words.limit);
      const next = Atomics.load(shared, queue + words.next);
      if (((next - limit) | 0) >= 0) return undefined;
      const taken = Atomics.compareExchange(shared, queue + words.next, next, (next + 1) | 0) === next;
      if (taken) return (next - shared[queue + words.base]!) | 0;
    }
  }

  dispose(): void {
    for (const worker of this.#workers.splice(0)) worker.end();
    abandoned.unregister(this);
  }

  /** Waits for workers that are in the midst of a part. */
  #join(target: number): void {
    const shared = this.#words;
    let done = Atomics.load(shared, words.done);
    if (done === target || this.#workers.length === 0) return;
    const start = performance.now();
    const mayBlock = mayThreadBlock();
    for (let i = 0; done !== target; i++, done = Atomics.load(shared, words.done)) {
      if (i % 64 !== 63) {
        pause();
        continue;
      }
      const waited = performance.now() - start;
      if (waited > longest) this.#giveUp();
      if (!mayBlock || waited < joinPatience) continue;
      Atomics.store(shared, words.waiting, 1);
      Atomics.wait(shared, words.done, done, longest);
      Atomics.store(shared, words.waiting, 0);
    }
  }

  /** A worker took a part and will never finish it: all are ended, and this thread goes on alone. */
  #giveUp(): never {
    this.dispose();
    throw this.#heap.failure(
      `a worker did not finish its part within ${longest / 1000} s, so all workers were ended. Later runs use one thread.`,
    );
  }

  #workersFailure(): PartError | undefined {
    const shared = this.#words;
    const part = shared[words.failed]! - 1;
    if (part < 0) return undefined;
    shared[words.failed] = 0;
    const letters = shared.subarray(words.text, words.text + shared[words.textLength]!);
    const text = String.fromCharCode(...letters);
    return new PartError(part, shared[words.failedCall]!, text);
  }
}

const wordCount = (threads: number) => words.queues + threads * words.queue;

/** Ends the workers of a state that nobody disposed of. */
const abandoned = new FinalizationRegistry((workers: Thread[]) => {
  for (const worker of workers.splice(0)) worker.end();
});

/** Tells the processor that a loop only waits, where the engine has it. */
const pause = (Atomics as { pause?: () => void }).pause ?? (() => {});

/** A page's own thread may not sleep. */
let blocks: boolean | undefined;
function mayThreadBlock(): boolean {
  if (blocks === undefined) {
    try {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 0);
      blocks = true;
    } catch {
      blocks = false;
    }
  }
  return blocks;
}
