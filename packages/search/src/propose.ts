import { EspalierError } from "@espalier/core";
import { canonicalJson } from "@espalier/core/documents";
import { type Finished, longestOf, type Ranking } from "./ranking.ts";
import type { CandidateRecord, Proposal } from "./records.ts";
import type { Point, SearchSpace } from "./space/space.ts";
import { likelyPoint, randomPoint } from "./tpe.ts";

/** Input of a proposal. */
export interface ProposalRequest {
  readonly space: SearchSpace;
  readonly candidates: readonly CandidateRecord[];
  readonly trials: readonly Finished[];
  readonly ranking: Ranking;
  readonly rungs: number;
  /** Points that compete. */
  readonly proposals: number;
  readonly random: () => number;
  /** Tries a point without fine-tuning. */
  readonly oneShot: (point: Point) => Promise<{ oneShot: number } | { error: string }>;
}

/** Results on a rung from which on the estimator learns from it. */
const enough = 8;
/** Share of points that are drawn at random once the estimator has learned something, so that no region is forgotten. */
const wild = 0.2;

/**
 * The next candidate: a seed of the space; then the best, by one-shot error, of a few points of one size. Undefined if
 * every point that was drawn has been tried: the space is exhausted.
 */
export async function proposeNext(
  request: ProposalRequest,
): Promise<Omit<CandidateRecord, "kind" | "candidate" | "seconds"> | undefined> {
  const { space, candidates, proposals } = request;
  const seed = space.seeds?.[candidates.length];
  const { from, points } = seed === undefined ? drawn(request) : { from: seed.label, points: [seed.point] };
  if (points.length === 0) return undefined;
  // A point without a rival only has to be possible.
  const tried: Proposal[] = [];
  for (const point of points) {
    const outcome = await request.oneShot(point).catch((error: unknown) => {
      if (error instanceof EspalierError) return { error: error.message };
      throw error;
    });
    tried.push({ point, ...outcome });
  }
  const possible = tried.filter(({ oneShot }) => oneShot !== undefined);
  // Widths are whole: points that differ a little may prune to the same model, which is known already.
  const known = new Set(candidates.map(({ oneShot }) => oneShot));
  const isKnown = ({ oneShot }: Proposal) => Number(known.has(oneShot));
  const [best = tried[0]!] = possible.toSorted((a, b) => isKnown(a) - isKnown(b) || a.oneShot! - b.oneShot!);
  return { from, ...best, others: tried.filter((other) => other !== best).slice(0, proposals) };
}

function drawn({ space, candidates, trials, ranking, rungs, proposals, random }: ProposalRequest): {
  from: string;
  points: Point[];
} {
  const ranked = rankedPoints(candidates, trials, ranking, rungs);
  const guided = ranked !== undefined && random() >= wild;
  const seen = new Set(
    candidates.flatMap(({ point, others }) => [point, ...others.map((o) => o.point)]).map(nameOf),
  );
  const points: Point[] = [];
  let given: Point = {};
  for (let i = 0; i < 20 * proposals && points.length < proposals; i++) {
    const point = guided ? likelyPoint(space, ranked, random, given) : randomPoint(space, random, given);
    if (seen.has(nameOf(point))) continue;
    seen.add(nameOf(point));
    points.push(point);
    const size = space.size === undefined ? undefined : point[space.size];
    if (size !== undefined) given = { [space.size!]: size };
  }
  return { from: guided ? "model" : "random", points };
}

/**
 * Points from the most to the least promising: of the highest rung with enough results (as in BOHB; Falkner et al., ICML 2018),
 * and after them those of lower rungs. Recipes that cannot be carried out are worst. Undefined before there is enough.
 */
function rankedPoints(
  candidates: readonly CandidateRecord[],
  trials: readonly Finished[],
  ranking: Ranking,
  rungs: number,
): Point[] | undefined {
  const promise = ({ result, rung }: Finished) => ranking.promise(result, rung);
  const byPromise = (a: Finished, b: Finished) => promise(a) - promise(b) || a.of - b.of;
  for (let rung = rungs - 1; rung >= 0; rung--) {
    const here = trials.filter((trial) => trial.rung === rung);
    if (here.length < enough) continue;
    const best = here.toSorted(byPromise);
    const reached = new Set(best.map(({ of }) => of));
    const lower = longestOf(trials)
      .filter(({ of }) => !reached.has(of))
      .toSorted((a, b) => b.rung - a.rung || byPromise(a, b));
    const pointOf = ({ of }: Finished) => candidates[of]!.point;
    const impossible = candidates.filter(({ candidate }) => !trials.some(({ of }) => of === candidate));
    return [...best.map(pointOf), ...lower.map(pointOf), ...impossible.map(({ point }) => point)];
  }
  return undefined;
}

function nameOf(point: Point): string {
  return canonicalJson(point);
}
