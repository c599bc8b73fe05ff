import {
  type Choice,
  fillPoint,
  isChoice,
  type Parameter,
  type Point,
  positionOf,
  type Range,
  type SearchSpace,
  type Value,
  valueAt,
} from "./space/space.ts";

/** Settings of the estimator, as Bergstra et al. give them. */
const goodShare = 0.25;
const draws = 24;

/** Points known to the estimator, from the best to the worst. */
export type Ranked = readonly Point[];

/** Draws a point from the whole space. Values that are given are kept. */
export function randomPoint(space: SearchSpace, random: () => number, given: Point = {}): Point {
  return fillPoint(space, given, (parameter) => valueAt(parameter, random()));
}

/**
 * Proposes a point by a tree-structured Parzen estimator (Bergstra et al., NeurIPS 2011): one density for the best
 * quarter of the points seen and one for the rest; of 24 draws from the first, the one whose ratio of densities is
 * largest. Each parameter is estimated by itself, from the points that have it. Values that are given are kept.
 */
export function likelyPoint(
  space: SearchSpace,
  ranked: Ranked,
  random: () => number,
  given: Point = {},
): Point {
  const count = goodCount(ranked);
  const [good, bad] = [ranked.slice(0, count), ranked.slice(count)];
  const densities = new Map(
    space.parameters.map((parameter) => [
      parameter.name,
      { good: densityOf(parameter, good), bad: densityOf(parameter, bad) },
    ]),
  );
  let best: { readonly point: Point; readonly score: number } | undefined;
  for (let i = 0; i < draws; i++) {
    let score = 0;
    const point = fillPoint(space, given, (parameter) => {
      const density = densities.get(parameter.name)!;
      const value = density.good.draw(random);
      score += Math.log(density.good.at(value)) - Math.log(density.bad.at(value));
      return value;
    });
    if (best === undefined || score > best.score) best = { point, score };
  }
  return best!.point;
}

/** Share of its parameters that a neighbour draws anew. */
const changed = 0.2;

/** One of the best quarter of the points seen; undefined if there is none. */
export function goodPoint(ranked: Ranked, random: () => number): Point | undefined {
  return ranked[Math.floor(random() * goodCount(ranked))];
}

/**
 * A good point with some of its parameters drawn anew by the estimator: what made it good may be a combination, which
 * parameters that are estimated by themselves do not repeat.
 */
export function neighbour(
  space: SearchSpace,
  ranked: Ranked,
  near: Point,
  random: () => number,
  given: Point = {},
): Point {
  const kept = Object.entries(near).filter(() => random() >= changed);
  return likelyPoint(space, ranked, random, { ...Object.fromEntries(kept), ...given });
}

function goodCount({ length }: Ranked): number {
  return Math.max(1, Math.ceil(goodShare * length));
}

interface Density {
  draw(random: () => number): Value;
  /** Probability, or probability density over the positions of a range. */
  at(value: Value): number;
}

function densityOf(parameter: Parameter, points: Ranked): Density {
  const seen = points.flatMap(({ [parameter.name]: value }) => (value === undefined ? [] : [value]));
  return isChoice(parameter) ? shares(parameter, seen) : mixture(parameter, seen);
}

/** How often each option was seen; one more observation is spread over all of them. */
function shares({ options }: Choice, seen: readonly Value[]): Density {
  const share = (option: Value) =>
    (seen.filter((value) => value === option).length + 1 / options.length) / (seen.length + 1);
  return {
    at: share,
    draw(random) {
      const u = random();
      const upTo = (i: number) =>
        options.slice(0, i + 1).reduce<number>((sum, option) => sum + share(option), 0);
      return options.find((_, i) => u < upTo(i)) ?? options.at(-1)!;
    },
  };
}

/** A Gaussian around every value seen, as wide as the gap to its neighbours, and one over the whole range. */
function mixture(parameter: Range, seen: readonly Value[]): Density {
  const centres = seen.map((value) => positionOf(parameter, value)).sort((a, b) => a - b);
  const narrowest = 1 / Math.min(100, 2 + 2 * centres.length);
  const bumps = centres.map((centre, i) => {
    const gaps = [centre - (centres[i - 1] ?? 0), (centres[i + 1] ?? 1) - centre];
    return { centre, width: Math.min(1, Math.max(narrowest, ...gaps)) };
  });
  const all = [...bumps, { centre: 0.5, width: 1 }];
  return {
    at(value) {
      const x = positionOf(parameter, value);
      const sum = all.reduce((total, { centre, width }) => total + bell((x - centre) / width) / width, 0);
      return sum / all.length;
    },
    draw(random) {
      const { centre, width } = all[Math.floor(random() * all.length)]!;
      return valueAt(parameter, inside(centre + width * normal(random)));
    },
  };
}

function bell(z: number): number {
  return Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
}

/** Box and Muller. */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Reflects what falls outside the range. */
function inside(x: number): number {
  const folded = Math.abs(x) % 2;
  return folded > 1 ? 2 - folded : folded;
}
