/** One leaf: where it grows, and its rank among those that stay; the first stay longest. */
export interface Leaf {
  readonly at: string;
  readonly rank: number;
}

export interface Tree {
  /** Heights of the wires it is trained along. */
  readonly wires: readonly number[];
  readonly trunk: string;
  readonly limbs: readonly { readonly path: string }[];
  readonly leaves: readonly Leaf[];
  /** A series that the trunk divides into what was and what is to come. */
  readonly history: string;
  readonly forecast: string;
}

const middle = 320;
const ground = 424;
const reach = 262;
const wires = [80, 150, 220, 290, 360];
const perSide = 15;

/** The same tree each time: what is random is random by a fixed seed. */
export function drawTree(): Tree {
  const next = stream(5);
  const limbs: { path: string }[] = [];
  const grown: { at: string; strength: number }[] = [];
  for (const [tier, y] of wires.entries()) {
    const length = reach - 22 * (wires.length - 1 - tier) * 0.6;
    for (const side of [-1, 1]) {
      const bend = middle + side * 46;
      const tip = middle + side * length;
      limbs.push({
        path: `M${middle} ${y + 34}C${middle} ${y + 8} ${middle + side * 12} ${y} ${bend} ${y}H${tip}`,
      });
      for (let i = 0; i < perSide; i++) {
        const along = (i + 0.5 + 0.5 * (next() - 0.5)) / perSide;
        const x = bend + side * along * (length - 46);
        const up = i % 2 === 0;
        const angle = (up ? 0 : 180) + side * (up ? 1 : -1) * (18 + 34 * next());
        // Sap reaches the tips last.
        grown.push({
          at: `translate(${x.toFixed(1)} ${y}) rotate(${angle.toFixed(0)})`,
          strength: next() - 0.55 * along,
        });
      }
    }
  }
  const order = grown.map((_, i) => i).sort((a, b) => grown[b]!.strength - grown[a]!.strength);
  const ranks = new Map(order.map((leaf, rank) => [leaf, rank]));
  return {
    wires,
    trunk: `M${middle} ${ground}V58`,
    limbs,
    leaves: grown.map(({ at }, i) => ({ at, rank: ranks.get(i)! })),
    history: series(8, middle),
    forecast: series(middle, 632),
  };
}

/** Two seasons and a drift, as hourly load has them. */
function series(from: number, to: number): string {
  const points: string[] = [];
  for (let x = from; x <= to; x += 4) {
    const y = 118 - 0.05 * (x - middle) + 17 * Math.sin(x / 17) + 9 * Math.sin(x / 71 + 1);
    points.push(`${x} ${y.toFixed(1)}`);
  }
  return `M${points.join("L")}`;
}

/** Uniform numbers in [0, 1) from a seed (a 32-bit linear congruence is random enough for leaves). */
function stream(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
