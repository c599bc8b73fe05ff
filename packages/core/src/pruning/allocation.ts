import { findRank, type RankedScores } from "./ranks.ts";

/**
 * The scores that are compared. `local`: every tensor (or dimension) loses the same share. `global`: all are ranked
 * together. `isomorphic`: those that play the same part in different layers are ranked together (Fang et al., ECCV
 * 2024).
 */
export type Scope = "local" | "global" | "isomorphic";

/**
 * How density is distributed over weight tensors: by a ranking, see {@link Scope}; or `erk`, by shape: in proportion to
 * the sum of a tensor's extents ÷ their product, so that large layers are sparser (Erdős–Rényi: Mocanu et al., Nature
 * Communications 2018; with kernels: Evci et al., ICML 2020).
 */
export type Allocation = Scope | "erk";

/** How many weights to remove, and the limits. */
export interface AllocationOptions {
  readonly amount: number;
  readonly scope: Allocation;
  /**
   * No tensor keeps less than this share of the average density, and none loses its last weight: 0.25 keeps at least 5
   * % of each when 20 % are kept overall. 0 allows a layer to be emptied.
   */
  readonly leastDensity: number;
  /** Shares to remove by tensor, for criteria that decide this themselves; `scope` is then ignored. */
  readonly shares?: ReadonlyMap<string, number>;
}

/** A tensor's scores, of single weights or of blocks of them. */
export interface RankedTensor extends RankedScores {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Number of weights, or blocks, that each tensor loses. */
export function allocate(
  tensors: readonly RankedTensor[],
  options: AllocationOptions,
): ReadonlyMap<string, number> {
  const { amount, scope, leastDensity, shares } = options;
  if (shares !== undefined) return countByShares(tensors, shares);
  const maxRemoved = ({ scores: { length } }: RankedTensor) =>
    leastDensity === 0 ? length : length - Math.max(1, Math.ceil(leastDensity * (1 - amount) * length));
  if (scope === "erk") return countByShape(tensors, amount, maxRemoved);
  const groups = Map.groupBy(tensors, ({ name }) =>
    scope === "local" ? name : scope === "isomorphic" ? rolePattern(name) : "",
  );
  return new Map([...groups.values()].flatMap((group) => [...countTogether(group, amount, maxRemoved)]));
}

function countByShares(
  tensors: readonly RankedTensor[],
  shares: ReadonlyMap<string, number>,
): Map<string, number> {
  return new Map(
    tensors.map(({ name, scores }) => [
      name,
      Math.min(roundHalfEven((shares.get(name) ?? 0) * scores.length), scores.length - 1),
    ]),
  );
}

/** Erdős–Rényi: densities in proportion to Σ extents ÷ Π extents, limited to 1 and to the least allowed density. */
function countByShape(
  tensors: readonly RankedTensor[],
  amount: number,
  maxRemoved: (tensor: RankedTensor) => number,
): Map<string, number> {
  const all = tensors.map((tensor) => {
    // An axis of extent 1 does not count as a kernel: such a convolution is a linear layer.
    const extents = tensor.shape.filter((extent) => extent > 1);
    const size = tensor.scores.length;
    const raw =
      extents.reduce((sum, extent) => sum + extent, 0) / extents.reduce((n, extent) => n * extent, 1);
    return { name: tensor.name, raw, size, least: size - maxRemoved(tensor) };
  });
  const total = all.reduce((sum, { size }) => sum + size, 0);
  const wanted = total - roundHalfEven(amount * total);
  const kept = (factor: number) =>
    all.map(({ raw, size, least }) => Math.min(size, Math.max(least, factor * raw * size)));
  let [low, high] = [0, Math.max(1, ...all.map(({ raw }) => 1 / raw))];
  for (let i = 0; i < 100; i++) {
    const middle = (low + high) / 2;
    if (kept(middle).reduce((sum, n) => sum + n, 0) < wanted) low = middle;
    else high = middle;
  }
  return new Map(wholeNumbers(kept(high), wanted).map((n, i) => [all[i]!.name, all[i]!.size - n]));
}

/** Rounds numbers to integers with a given sum: down, and those with the largest remainders up. */
function wholeNumbers(numbers: readonly number[], sum: number): number[] {
  const floors = numbers.map((n) => Math.floor(n + 1e-9));
  const short = sum - floors.reduce((total, n) => total + n, 0);
  const order = Array.from(numbers.keys()).sort(
    (a, b) => numbers[b]! - floors[b]! - (numbers[a]! - floors[a]!),
  );
  for (const i of order.slice(0, Math.max(0, short))) floors[i]!++;
  return floors;
}

/** A tensor's role in its layer: its name with layer numbers replaced by a wildcard. */
export function rolePattern(name: string): string {
  return name.replace(/\d+/g, "*");
}

/**
 * Number that each tensor loses if the lowest scores of all are removed, none beyond its limit: a tensor that would
 * lose more loses just its limit, and the rest is distributed over the others.
 */
function countTogether(
  group: readonly RankedTensor[],
  amount: number,
  maxRemoved: (tensor: RankedTensor) => number,
): Map<string, number> {
  const counts = new Map<string, number>();
  let open = [...group];
  let remove = roundHalfEven(amount * group.reduce((n, { scores }) => n + scores.length, 0));
  for (;;) {
    const shared = lowestOf(open, Math.max(0, remove));
    const over = open.filter((tensor, i) => shared[i]! > maxRemoved(tensor));
    if (over.length === 0) {
      open.forEach(({ name }, i) => {
        counts.set(name, shared[i]!);
      });
      return counts;
    }
    for (const tensor of over) {
      counts.set(tensor.name, maxRemoved(tensor));
      remove -= maxRemoved(tensor);
    }
    open = open.filter((tensor) => !over.includes(tensor));
  }
}

/** Number of the `remove` lowest scores in each list; ties are broken in favour of earlier lists. */
function lowestOf(lists: readonly RankedTensor[], remove: number): number[] {
  if (remove === 0) return lists.map(() => 0);
  if (lists.length === 1) return [Math.max(remove, lists[0]!.before)];
  const { below, upTo } = findRank(lists, remove);
  let ties = remove - below.reduce((n, count) => n + count, 0);
  return lists.map((_, i) => {
    const take = Math.max(0, Math.min(ties, upTo[i]! - below[i]!));
    ties -= take;
    return below[i]! + take;
  });
}

/** Rounds like Python, so that counts agree with the published code. */
function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}
