import type { Memory } from "../memory/memory.ts";
import { type KernelName, kernelNames } from "../modules/names.ts";
import { PartError } from "./part-error.ts";

/** A call with addresses. Where `perThread` is not 0, each thread adds as many times it as its number says. */
export interface BoundCall {
  readonly kernel: KernelName;
  readonly args: readonly number[];
  readonly perThread: readonly number[];
}

/** A copy whose ends move with the part that it belongs to. */
export interface PartCopy {
  readonly kernel: "copy";
  /** to, bytes from part to part, from, bytes from part to part, bytes. */
  readonly args: readonly [number, number, number, number, number];
  readonly perThread: readonly number[];
}

export type PartCall = BoundCall | PartCopy;

/**
 * Calls that threads divide among them, written where workers find them: { length, lists, where each begins; of each the
 * number of calls; of each call the kernel (-1: a copy), the number of arguments, and for each its value and what the
 * thread's number is multiplied with }, all float64. One list alone is every part's.
 */
export class Job {
  readonly address: number;
  readonly version: number;
  /** See Reserve. */
  readonly fastest = new Map<number, number>();
  readonly #heap: Memory;
  /** The function that this thread runs for each part. */
  readonly #lists: readonly (readonly ((part: number) => void)[])[];

  constructor(heap: Memory, lists: readonly (readonly PartCall[])[], version: number) {
    this.#heap = heap;
    this.version = version;
    const numbers = encode(lists);
    this.address = heap.allocate(8 * numbers.length, "calls that threads share");
    heap.doubles(this.address, numbers.length).set(numbers);
    this.#lists = lists.map((calls) => calls.map((call) => functionOf(heap, call)));
  }

  /** Makes the calls of a part on this thread. Throws a PartError. */
  run(part: number): void {
    const calls = this.#lists[this.#lists.length === 1 ? 0 : part]!;
    let at = 0;
    try {
      for (; at < calls.length; at++) calls[at]!(part);
    } catch (error) {
      throw new PartError(part, at, (error as Error).message, { cause: error });
    }
  }

  dispose(): void {
    this.#heap.free(this.address);
  }
}

/** Interface for the thread that runs programs; its number is 0. */
function functionOf(heap: Memory, call: PartCall): (part: number) => void {
  if (call.kernel === "copy") {
    const [to, toEach, from, fromEach, bytes] = call.args;
    return (part) => heap.copy(from + part * fromEach, to + part * toEach, bytes);
  }
  return heap.bind(call.kernel, call.args);
}

function encode(lists: readonly (readonly PartCall[])[]): number[] {
  const numbers = [0, lists.length, ...lists.map(() => 0)];
  lists.forEach((calls, i) => {
    numbers[2 + i] = numbers.length;
    numbers.push(calls.length);
    for (const { kernel, args, perThread } of calls) {
      numbers.push(kernel === "copy" ? -1 : kernelNames.indexOf(kernel), args.length);
      args.forEach((value, k) => {
        numbers.push(value, perThread[k] ?? 0);
      });
    }
  });
  numbers[0] = numbers.length;
  return numbers;
}
