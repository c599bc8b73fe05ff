import { EspalierError } from "@espalier/core/inference";
import { type Argument, type Call, isPointer, type Pointer } from "./compile/call.ts";
import type { KernelWork, Step, WeightWork } from "./compile/step.ts";
import type { Heap } from "./memory/heap.ts";
import type { BoundCall, Job } from "./threads/job.ts";
import { PartError } from "./threads/part-error.ts";

/** A step with addresses. */
export interface BoundStep {
  readonly step: Step;
  /** How many calls threads run at once in its place; 1: this thread runs it. */
  readonly parts: number;
  readonly run: () => void;
}

/** The steps of one phase with addresses, in order; those that are worth it are divided among threads. */
export class BoundPhase {
  readonly steps: readonly BoundStep[];
  readonly #job: Job | undefined;

  /** `divided` gives the calls that a step's work is. */
  constructor(
    heap: Heap,
    steps: readonly Step[],
    divided: (work: KernelWork | WeightWork) => readonly Call[],
  ) {
    const lists: BoundCall[][] = [];
    const { team } = heap;
    this.steps = steps.map((step): BoundStep => {
      const { work } = step;
      if (work.kind === "host") {
        const { run, pointers } = work;
        const addresses = pointers.map(addressOf);
        return { step, parts: 1, run: () => run(heap, addresses) };
      }
      const calls = divided(work);
      if (calls.length === 1 || team === undefined) {
        const { kernel, args } = bound(calls[0]!);
        return { step, parts: 1, run: heap.bind(kernel, args) };
      }
      const first = lists.length;
      for (const call of calls) lists.push([bound(call)]);
      return { step, parts: calls.length, run: () => team.run(this.#job!, first, calls.length) };
    });
    if (lists.length > 0) this.#job = team!.job(lists);
  }

  run(): void {
    for (const { step, run } of this.steps) {
      try {
        run();
      } catch (error) {
        throw failure(step, error);
      }
    }
  }

  dispose(): void {
    this.#job?.dispose();
  }
}

/** A call with addresses; `apart`: each thread makes it on an arena of its own. */
export function bound({ kernel, args }: Call, apart = false): BoundCall {
  const perThread = (argument: Argument) => {
    if (!isPointer(argument)) return 0;
    return (argument.perThread ?? 0) + (apart ? (argument.storage.perThread ?? 0) : 0);
  };
  return {
    kernel,
    args: args.map((argument) => (isPointer(argument) ? addressOf(argument) : argument)),
    perThread: args.map(perThread),
  };
}

const addressOf = ({ storage, bytes }: Pointer) => storage.address + bytes;

/** Translates a kernel's trap into a message for users; other errors are returned unchanged. */
export function failure({ node, work }: Step, error: unknown): unknown {
  const cause = error instanceof PartError && error.cause !== undefined ? error.cause : error;
  if (!(cause instanceof WebAssembly.RuntimeError || cause instanceof PartError)) return cause;
  const isGather = work.kind === "kernel" && work.call.kernel === "gather";
  const reason = isGather
    ? "an index is outside its axis."
    : `its kernel stopped (${cause.message}). Please report this with the model.`;
  return new EspalierError(`backend wasm, node ${node}: ${reason}`);
}
