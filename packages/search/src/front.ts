import type { Metric } from "./goal.ts";
import { type Finished, longestOf, type Ranking } from "./ranking.ts";
import { measureOf } from "./records.ts";
import { hypervolume } from "./statistics.ts";

/**
 * The order of recipes for a search that spreads over the front of sizes and errors: those within the limits in layers
 * (no model of a layer is beaten in both size and error by one of its own or a later layer; Deb et al., NSGA-II, 2002), in
 * each of them next the one that adds the most area; then the others, by how far they exceed the limits.
 */
export function frontOrder(ranking: Ranking, size: Metric): Ranking["order"] {
  const excessOf = ({ result, rung }: Finished) => ranking.excess(result, rung);
  const positionOf = (trial: Finished) =>
    [Math.log(measureOf(size, trial.result)), -(ranking.spare(trial.result, trial.rung) ?? 0)] as const;
  return (trials) => {
    const within = trials.filter((trial) => excessOf(trial) === 0);
    const beyond = trials.filter((trial) => excessOf(trial) > 0);
    const placed = within.map((trial) => ({ trial, at: positionOf(trial) }));
    return [
      ...layersOf(placed).flatMap(byArea),
      ...beyond.toSorted((a, b) => excessOf(a) - excessOf(b) || a.of - b.of),
    ].map((one) => ("trial" in one ? one.trial : one));
  };
}

/**
 * An error for a search that spreads over the front to aim at: between the least so far and the limit. Returns the
 * limit as long as no model keeps it.
 */
export function errorToAimAt(
  limit: number,
  trials: readonly Finished[],
  ranking: Ranking,
  random: () => number,
): number {
  const spares = longestOf(trials).map(({ result, rung }) => ranking.spare(result, rung) ?? 0);
  return limit * Math.exp(-random() * Math.max(0, ...spares));
}

/** A trial, and the logarithms of its size and of its error over the limit. */
interface Placed {
  readonly trial: Finished;
  readonly at: readonly [size: number, error: number];
}

function layersOf(placed: readonly Placed[]): Placed[][] {
  const layers: Placed[][] = [];
  const bySize = placed.toSorted((a, b) => a.at[0] - b.at[0] || a.at[1] - b.at[1] || a.trial.of - b.trial.of);
  for (const one of bySize) {
    const layer = layers.find((members) => one.at[1] < members.at(-1)!.at[1]);
    if (layer === undefined) layers.push([one]);
    else layer.push(one);
  }
  return layers;
}

function byArea(layer: readonly Placed[]): Placed[] {
  const left = [...layer];
  const taken: Placed[] = [];
  while (left.length > 0) {
    const gains = left.map(({ at }) => hypervolume([...taken.map((one) => one.at), at], [0, 0]));
    const [best] = left.splice(gains.indexOf(Math.max(...gains)), 1);
    taken.push(best!);
  }
  return taken;
}
