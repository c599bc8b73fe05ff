import { bound } from "../bound-phase.ts";
import type { Call } from "../compile/call.ts";
import type { Heap } from "../memory/heap.ts";
import type { Surroundings } from "../threads/divide/divider.ts";
import type { Job } from "../threads/job.ts";

/** The calls that bring packed weights up to date: after every step of training the same ones, so threads get them once. */
export class Repacking {
  readonly #heap: Heap;
  readonly #surroundings: Surroundings;
  #calls: Call[] = [];
  #shared: { readonly calls: readonly Call[]; readonly job: Job; readonly parts: number } | undefined;

  constructor(heap: Heap, surroundings: Surroundings) {
    this.#heap = heap;
    this.#surroundings = surroundings;
  }

  add(call: Call): void {
    this.#calls.push(call);
  }

  /** Makes all calls that were added. No two write to one place, so threads take them in any order. */
  run(): void {
    const calls = this.#calls.splice(0);
    const { team, kernels } = this.#heap;
    if (team === undefined || calls.length === 0) {
      for (const { kernel, args } of calls) kernels[kernel](...(args as number[]));
      return;
    }
    const known = this.#shared?.calls;
    if (known?.length !== calls.length || calls.some((call, i) => call !== known[i])) {
      this.dispose();
      const parts = calls.flatMap((call) => team.divide(call, this.#surroundings));
      const lists = parts.map((part) => [bound(part)]);
      this.#shared = { calls, job: team.job(lists), parts: lists.length };
    }
    const { job, parts } = this.#shared!;
    team.run(job, 0, parts);
  }

  dispose(): void {
    this.#shared?.job.dispose();
    this.#shared = undefined;
  }
}
