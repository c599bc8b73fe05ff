import { EspalierError, unknownName } from "../errors.ts";
import type { Criterion } from "./criterion.ts";
import { fisher } from "./fisher.ts";
import { geometricMedian } from "./geometric-median.ts";
import { lamp } from "./lamp.ts";
import { l1, l2 } from "./magnitude.ts";
import { movement } from "./movement.ts";
import { random } from "./random.ts";
import { spat } from "./spat.ts";
import { taylor } from "./taylor.ts";
import { wanda } from "./wanda.ts";
import { wsap } from "./wsap.ts";

const factories: Readonly<Record<string, (seed: number) => Criterion>> = {
  l1: () => l1,
  l2: () => l2,
  random,
  taylor: () => taylor(),
  fisher: () => fisher(),
  wanda: () => wanda(),
  lamp: () => lamp,
  "geometric-median": () => geometricMedian,
  movement: (seed) => movement({ seed }),
  spat: () => spat(),
  wsap: () => wsap,
};

/** Names of the criteria in core. */
export const criterionNames: readonly string[] = Object.keys(factories);

/** Returns a criterion by name, or the given object. The seed applies to `random` and to the dropout of `movement`. */
export function findCriterion(criterion: string | Criterion, seed = 0): Criterion {
  if (typeof criterion !== "string") return criterion;
  const factory = Object.hasOwn(factories, criterion) ? factories[criterion] : undefined;
  if (factory === undefined) throw unknownName("criterion", criterion, criterionNames);
  return factory(seed);
}

/** Whether an option is a criterion rather than the name of one. */
export function isCriterion(value: unknown): value is Criterion {
  return typeof value === "object" && value !== null && "weights" in value && "indices" in value;
}

/** Checks an amount; throws an EspalierError outside [0, 1). */
export function checkAmount(amount: number): void {
  if (!(amount >= 0 && amount < 1)) throw new EspalierError(`amount ${amount} is outside [0, 1).`);
}
