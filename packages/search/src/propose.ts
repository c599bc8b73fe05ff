import { EspalierError, type Json } from "@espalier/core";
import { canonicalJson } from "@espalier/core/documents";
import { aimedSize, isTooLarge, pointAtLimit, sizeToStartAt } from "./limit.ts";
import { type Finished, longestOf, type Ranking } from "./ranking.ts";
import type { CandidateRecord, Proposal } from "./records.ts";
import type { NamedPoint, Point, SearchSpace } from "./space/space.ts";
import { partialRankCorrelation, rankCorrelation } from "./statistics.ts";
import { goodPoint, likelyPoint, neighbour, randomPoint } from "./tpe.ts";

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
/** Rank correlation from which on one-shot errors are worth their time. */
const telling = 0.3;
/** Share of candidates that are drawn at random, so that no region is forgotten: at first, and once the estimator has learned. */
const early = 0.5;
const wild = 0.2;
/** Share that repeat a good recipe at the size at which it should just keep the limit of the error. */
const atLimit = 0.4;
/** Of those that the estimator draws, the share that keep most of a good point. */
const nearby = 0.5;

/** Draws after which a candidate may repeat a model that is known. */
const attempts = 3;

/**
 * The next candidate: a seed of the space; then the best, by one-shot error, of a few points of one size. Undefined if
 * every point that was drawn has been tried: the space is exhausted.
 */
export async function proposeNext(
  request: ProposalRequest,
): Promise<Omit<CandidateRecord, "kind" | "candidate" | "seconds"> | undefined> {
  const { space, candidates } = request;
  const seen = new Set(
    candidates.flatMap(({ point, others }) => [point, ...others.map((o) => o.point)]).map(nameOf),
  );
  const seed = nextSeed(request);
  // Widths are whole: points that differ a little may prune to the same model and tune it in the same way.
  const outcomeOf = ({ point, oneShot }: Proposal) =>
    canonicalJson([oneShot ?? null, tuningOf(point, space)]);
  const known = new Set(candidates.map(outcomeOf));
  const tried: Proposal[] = [];
  let from = seed?.label ?? "";
  for (let attempt = 0; attempt < attempts; attempt++) {
    const drawn = seed === undefined ? draw(request, seen) : { from: seed.label, points: [seed.point] };
    if (drawn.points.length === 0) break;
    from = drawn.from;
    for (const point of drawn.points)
      tried.push({ point, ...(await request.oneShot(point).catch(messageOf)) });
    const isNew = tried.some((one) => one.oneShot !== undefined && !known.has(outcomeOf(one)));
    if (isNew || seed !== undefined) break;
  }
  if (tried.length === 0) return undefined;
  const possible = tried.filter(({ oneShot }) => oneShot !== undefined);
  const isKnown = (one: Proposal) => Number(known.has(outcomeOf(one)));
  const [best = tried[0]!] = possible.toSorted((a, b) => isKnown(a) - isKnown(b) || a.oneShot! - b.oneShot!);
  return { from, ...best, others: tried.filter((other) => other !== best) };
}

/**
 * The seed of the space whose size is nearest to that at which what was tried so far should keep the limit, first the one in
 * the middle. One that is much smaller is tried at that size; one that is much larger than what keeps the limit already is
 * left out. Undefined if none is left.
 */
function nextSeed(request: ProposalRequest): NamedPoint | undefined {
  const { space, candidates } = request;
  const tried = new Set(candidates.map(({ from }) => from));
  const left = (space.seeds ?? []).filter(({ label }) => !tried.has(label));
  const { size } = space;
  if (size === undefined) return left[0];
  const logs = (space.seeds ?? []).map(({ point }) => Math.log(point[size] as number));
  const aimed = sizeToStartAt(request) ?? Math.exp((Math.min(...logs) + Math.max(...logs)) / 2);
  const distance = ({ point }: NamedPoint) => Math.abs(Math.log((point[size] as number) / aimed));
  const nearest = left
    .filter(({ point }) => !isTooLarge(point, request, 2))
    .toSorted((a, b) => distance(a) - distance(b))[0];
  if (nearest === undefined) return undefined;
  const { label, point } = nearest;
  const own = point[size] as number;
  return { label, point: 2 * own < aimed && candidates.length > 0 ? { ...point, [size]: aimed } : point };
}

/** The steps of a point's recipe that tune. */
function tuningOf(point: Point, space: SearchSpace): Json {
  return space.recipe(point, 1).steps.filter((step) => "fit" in step) as unknown as Json;
}

function messageOf(error: unknown): { error: string } {
  if (error instanceof EspalierError) return { error: error.message };
  throw error;
}

/** Points to choose the next candidate from, and their origin. */
function draw(request: ProposalRequest, seen: Set<string>): { from: string; points: Point[] } {
  const { space, candidates, trials, ranking, rungs, random } = request;
  const ranked = rankedPoints(candidates, trials, ranking, rungs);
  const longest = longestOf(trials);
  const learned = longest.length >= enough;
  const way = random();
  if (way >= (learned ? wild : early) && (!learned || way < wild + atLimit)) {
    const point = pointAtLimit(space, ranked, candidates, longest, ranking, random);
    if (point !== undefined && !seen.has(nameOf(point))) {
      seen.add(nameOf(point));
      return { from: "limit", points: [point] };
    }
  }
  const near = goodPoint(ranked, random);
  // The size at which a good recipe should just keep the limit: how much better or worse another one is shows at once.
  const aimed = near && aimedSize(space, near, candidates, longest, ranking);
  const given: Point = aimed === undefined ? {} : { [space.size!]: aimed };
  const anywhere = (size: Point) => randomPoint(space, random, size);
  const drawn = (): Point[] => {
    // Every other one has any size.
    if (!learned || way < wild) return rivals(request, seen, random() < 0.5 ? given : {}, anywhere);
    return random() < nearby
      ? rivals(request, seen, given, (size) => neighbour(space, ranked, near!, random, size))
      : rivals(request, seen, {}, (size) => likelyPoint(space, ranked, random, size));
  };
  const points = drawn();
  if (points.length > 0) return { from: learned && way >= wild ? "model" : "random", points };
  // Everything there has been tried.
  return { from: "random", points: rivals(request, seen, {}, anywhere) };
}

/** Points of one size that have not been tried; a single one, if one-shot errors say little about the outcome. */
function rivals(
  request: ProposalRequest,
  seen: Set<string>,
  first: Point,
  drawn: (given: Point) => Point,
): Point[] {
  const { space } = request;
  const proposals = predicts(request) ? request.proposals : 1;
  const points: Point[] = [];
  let given = first;
  let large: Point | undefined;
  for (let i = 0; i < 20 * proposals && points.length < proposals; i++) {
    const point = drawn(given);
    if (seen.has(nameOf(point))) continue;
    if (isTooLarge(point, request, 4)) {
      large ??= point;
      continue;
    }
    seen.add(nameOf(point));
    points.push(point);
    const size = space.size === undefined ? undefined : point[space.size];
    if (size !== undefined) given = { [space.size!]: size };
  }
  return points.length > 0 || large === undefined ? points : [large];
}

/** Whether one-shot errors have predicted errors after fine-tuning, at equal size, on the highest rung with enough results. */
function predicts({ space, candidates, trials, rungs }: ProposalRequest): boolean {
  for (let rung = rungs - 1; rung >= 0; rung--) {
    const known = trials.filter(
      (trial) => trial.rung === rung && candidates[trial.of]!.oneShot !== undefined,
    );
    if (known.length < enough) continue;
    const before = known.map(({ of }) => candidates[of]!.oneShot!);
    const after = known.map(({ result }) => result.validation.mse);
    const { size } = space;
    if (size === undefined) return rankCorrelation(before, after) >= telling;
    const sizes = known.map(({ of }) => candidates[of]!.point[size] as number);
    return partialRankCorrelation(before, after, sizes) >= telling;
  }
  return false;
}

/**
 * Points from the most to the least promising: of the highest rung with enough results (as in BOHB; Falkner et al., ICML 2018),
 * and after them those of lower rungs; of all, as long as no rung has enough. Recipes that cannot be carried out are worst.
 */
function rankedPoints(
  candidates: readonly CandidateRecord[],
  trials: readonly Finished[],
  ranking: Ranking,
  rungs: number,
): Point[] {
  const longest = longestOf(trials);
  const onRung = (rung: number) => trials.filter((trial) => trial.rung === rung);
  const full = Array.from({ length: rungs }, (_, i) => rungs - 1 - i).find((r) => onRung(r).length >= enough);
  const best = ranking.order(full === undefined ? longest : onRung(full));
  const reached = new Set(best.map(({ of }) => of));
  const lower = ranking
    .order(longest.filter(({ of }) => !reached.has(of)))
    .toSorted((a, b) => b.rung - a.rung);
  const impossible = candidates.filter(({ candidate }) => !longest.some(({ of }) => of === candidate));
  return [
    ...[...best, ...lower].map(({ of }) => candidates[of]!.point),
    ...impossible.map(({ point }) => point),
  ];
}

function nameOf(point: Point): string {
  return canonicalJson(point);
}
