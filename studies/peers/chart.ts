import { ratioOf } from "@espalier/bench/measure";
import { chart, type Level, legend, looksOf, type Point, panel, type Spec } from "@espalier/report";
import { entryOf, onSoftware, ownOf, type PeerResults, type PeerRun } from "./results.ts";
import { type Family, gpuVariants, variants } from "./variants.ts";

/** How families are called in charts and tables; the order is that of the legend. */
export const familyNames: Readonly<Record<Exclude<Family, "dense">, string>> = {
  unstructured: "single weights",
  "2x1": "2×1 blocks",
  "4x1": "4×1 blocks",
  "16x16": "16×16 blocks",
  channels: "50 % of channels",
  combined: "channels, then 80 % of weights",
};

/**
 * Speed-up over the own dense model against sparsity, a panel a batch size; dashed lines are what other runtimes reach
 * with the dense model. Undefined if the own backend was not timed with anything pruned, or on no GPU but a program.
 */
export function speedUpCurves(results: PeerResults, model: string): Spec | undefined {
  if (onSoftware(results)) return undefined;
  const own = ownOf(results);
  const runs = results.runs
    .filter((run) => run.model === model && run.task === "forecast")
    .toSorted((a, b) => a.batch - b.batch);
  const points = runs.map((run) => pointsOf(results, run));
  const used = new Set(points.flat().map(({ strategy }) => strategy));
  if (used.size === 0) return undefined;
  const looks = looksOf(Object.values(familyNames)).filter(({ strategy }) => used.has(strategy));
  const levels = runs.map((run) => levelsOf(run, own));
  const values = [...points.flat().map(({ y }) => y), ...levels.flat().map(({ value }) => value)];
  const [low, high] = [Math.min(1, ...values), Math.max(...values)];
  const ticks = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50].filter(
    (tick) => tick > low * 0.85 && tick < high * 1.15,
  );
  const width = Math.max(180, Math.min(370, Math.floor(800 / runs.length) - 30));
  return chart(
    "Speed-up by sparsity",
    `${model}, ${own}${own === "wasm" ? " on one thread" : ""}`,
    `${deviceOf(results)}. Dashed: dense models. Bars: half the interquartile range.`,
    {
      vconcat: [
        legend(looks, { width: 820 }),
        {
          hconcat: runs.map((run, i) =>
            panel({
              title: `batch ${run.batch}`,
              width,
              height: 260,
              x: { title: "sparsity", format: "%", domain: [0, 1] },
              y: {
                title: "times as fast (log scale)",
                format: ".2~g",
                domain: [low * 0.85, high * 1.15],
                log: true,
                ticks,
              },
              points: points[i]!,
              levels: levels[i]!,
              looks,
              tunings: [],
            }),
          ),
        },
      ],
      spacing: 12,
    },
  );
}

/** All ways of pruning that are timed anywhere, each once. */
const kinds = [...variants, ...gpuVariants.filter(({ id }) => !variants.some((one) => one.id === id))];

/** The device that the own backend ran on. */
export function deviceOf({ environment, peers, ...results }: PeerResults): string {
  const own = peers.find(({ name }) => name === ownOf(results));
  return own?.software === undefined ? environment.processor : own.detail;
}

function pointsOf(results: PeerResults, run: PeerRun): Point[] {
  const own = ownOf(results);
  const dense = entryOf(run, own, "dense");
  if (dense === undefined) return [];
  return kinds.flatMap(({ id, family }): Point[] => {
    const entry = entryOf(run, own, id);
    const size = results.sizes.find((s) => s.model === run.model && s.variant === id);
    if (family === "dense" || entry === undefined || size === undefined) return [];
    const { median, spread } = ratioOf(dense, entry);
    const x = size.sparsity;
    return [
      {
        strategy: familyNames[family],
        tuning: "",
        met: true,
        x,
        y: median,
        xSpread: 0,
        ySpread: spread,
        order: x,
      },
    ];
  });
}

/** The own dense model, and how fast other runtimes run it. */
function levelsOf(run: PeerRun, own: string): Level[] {
  const dense = entryOf(run, own, "dense");
  if (dense === undefined) return [];
  const others = run.entries.filter(
    ({ peer, variant, alone }) => peer !== own && variant === "dense" && !alone,
  );
  return [
    { value: 1, spread: 0, label: `${own} dense` },
    ...others.map((entry) => ({ value: ratioOf(dense, entry).median, spread: 0, label: entry.peer })),
  ];
}
