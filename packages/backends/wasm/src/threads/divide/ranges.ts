import type { Call } from "../../compile/call.ts";
import type { KernelName } from "../../modules/names.ts";
import { cut } from "./cut.ts";
import { changed, type Divider, numberAt } from "./divider.ts";

interface Rule {
  /** The argument that counts; the other named ones advance by a number of bytes per step, fixed or given by an argument. */
  readonly count: number;
  /** Ranges begin at multiples of this. */
  readonly grain: number;
  readonly moves: Readonly<Record<number, number | { readonly like: number }>>;
  /** Expected nanoseconds of one step. */
  readonly step: (call: Call) => number;
}

/** Kernels whose work is a range that can be cut. */
const rules = {
  // Pairs of vectors are normalised together and a last one alone: ranges begin with a pair.
  layerNorm: {
    count: 0,
    grain: 4,
    moves: { 2: 16, 6: 16 },
    step: (call) => 1.3 * numberAt(call, 1),
  },
  layerNormGradient: {
    count: 0,
    grain: 16,
    moves: { 2: 4, 5: 4, 7: 4, 10: 8 },
    step: (call) => numberAt(call, 1),
  },
  layerNormSums: {
    count: 1,
    grain: 4,
    moves: { 2: { like: 3 }, 4: { like: 5 }, 7: 4, 8: 4 },
    step: (call) => 0.4 * numberAt(call, 0),
  },
  batchNormTraining: {
    count: 0,
    grain: 1,
    moves: { 2: { like: 3 }, 4: 4, 5: 4, 6: 4, 7: 4, 8: { like: 9 }, 10: 4, 11: 4 },
    step: (call) => numberAt(call, 1),
  },
  batchNormGradient: {
    count: 0,
    grain: 1,
    moves: { 2: { like: 3 }, 4: 4, 5: { like: 6 }, 7: { like: 8 }, 9: 4, 10: 4 },
    step: (call) => 0.8 * numberAt(call, 1),
  },
  fill: { count: 1, grain: 4096, moves: { 0: 1 }, step: () => 0.015 },
  adam: {
    count: 0,
    grain: 64,
    moves: { 1: 4, 2: 4, 3: 4, 4: 4, 5: 4, 6: 4, 7: 4, 8: 4 },
    step: () => 0.8,
  },
  gatherValues: { count: 0, grain: 64, moves: { 2: 4, 3: 4 }, step: () => 0.7 },
} satisfies Partial<Record<KernelName, Rule>>;

function divider({ count, grain, moves, step }: Rule): Divider {
  return {
    cost: (call) => numberAt(call, count) * step(call),
    divide: (call, parts) =>
      cut(numberAt(call, count), parts, grain).map(([start, end]) => {
        const bytes = Object.entries(moves).map(([at, by]) => {
          const each = typeof by === "number" ? by : numberAt(call, by.like);
          return [at, start * each] as const;
        });
        return changed(call, { [count]: end - start }, Object.fromEntries(bytes));
      }),
  };
}

export const rangeDividers: Partial<Record<KernelName, Divider>> = Object.fromEntries(
  Object.entries(rules).map(([name, rule]) => [name, divider(rule)]),
);
