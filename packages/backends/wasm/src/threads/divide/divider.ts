import { type Argument, type Call, isPointer } from "../../compile/call.ts";
import type { DivisionLimits } from "./limits.ts";

/** Input for dividing a call. */
export interface Surroundings {
  /** Numbers that calls read; those of parts are added to them. */
  readonly constants: number[];
  /** Rows of a dense panel. */
  readonly panelRows: number;
  readonly limits: DivisionLimits;
}

/**
 * How calls of a kernel are divided among threads. Every result is computed by the same operations in the same order as
 * by one thread, so that the number of threads changes none.
 */
export interface Divider {
  /** Expected nanoseconds of a call on one thread. */
  cost(call: Call, surroundings: Surroundings): number;
  /** At most so many calls that do together, in any order and at once, what the call does. */
  divide(call: Call, parts: number, surroundings: Surroundings): readonly Call[];
}

/** An argument that is a number. */
export function numberAt({ args }: Call, at: number): number {
  return args[at] as number;
}

/** An address further on; 0, where there is nothing, stays 0. */
export function moved(argument: Argument, bytes: number): Argument {
  if (isPointer(argument)) return { ...argument, bytes: argument.bytes + bytes };
  return argument === 0 ? 0 : argument + bytes;
}

/** A call with some arguments replaced, and others moved by bytes. */
export function changed(
  call: Call,
  replaced: Readonly<Record<number, Argument>>,
  moves: Readonly<Record<number, number>> = {},
): Call {
  const args = call.args.map((argument, i) => moved(replaced[i] ?? argument, moves[i] ?? 0));
  return { kernel: call.kernel, args };
}

/** Position in the constants of the numbers that an argument points to. */
export function constantsAt({ args }: Call, at: number): number {
  const argument = args[at]!;
  return (argument as Exclude<Argument, number>).bytes / 4;
}

/** Numbers as a call's constants, in place of those an argument points to. */
export function withConstants(
  { args }: Call,
  at: number,
  numbers: readonly number[],
  { constants }: Surroundings,
): Argument {
  const bytes = 4 * constants.length;
  constants.push(...numbers);
  return { ...(args[at] as Exclude<Argument, number>), bytes };
}
