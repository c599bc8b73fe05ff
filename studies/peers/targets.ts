import { ratioOf } from "@espalier/bench/measure";
import { gpuModels } from "./gpu-subjects.ts";
import { agrees, entryOf, onSoftware, ownOf, type PeerResults, runOf, type Task } from "./results.ts";

/** The own backend on a processor, in which zeros are time. */
export const own = "wasm";
export const ownOnTwoThreads = "wasm:2";

/** Least ratios by model and batch size. */
type Least = Readonly<Record<string, Readonly<Record<number, number>>>>;

/** A promise: how many times as fast one is as another. */
interface Target {
  readonly what: string;
  readonly task: Task;
  /** The fastest of these counts. */
  readonly variants: readonly string[];
  readonly against: { readonly peer: string; readonly variant: string };
  readonly least: Least;
  /** Who is as fast: the own backend on one thread by default. */
  readonly peer?: string;
}

/** Promises for forecasts: iTransformer at batch 1, 3 and 32, the others at batch 1 and 32. */
function least(
  [i1, i3, i32]: readonly [number, number, number],
  [p1, p32]: readonly [number, number],
  [c1, c32]: readonly [number, number],
): Least {
  return {
    iTransformer: { 1: i1, 3: i3, 32: i32 },
    PatchTST: { 1: p1, 32: p32 },
    Crossformer: { 1: c1, 32: c32 },
  };
}

/** The same at every batch size. */
const every = (i: number, p: number, c: number): Least => least([i, i, i], [p, p], [c, c]);

/** Promises for training, at batch 32. */
const steps = (bound: number): Least => ({ iTransformer: { 32: bound }, PatchTST: { 32: bound } });

/** Two threads against one. */
function twoThreads(task: Task, what: string, variant: string, bounds: Least): Target {
  const against = { peer: own, variant };
  return { task, what, variants: [variant], against, least: bounds, peer: ownOnTwoThreads };
}
const at32 = (bound: number): Least => ({ ...steps(bound), Crossformer: { 32: bound } });

const dense = (peer: string) => ({ peer, variant: "dense" });
const [web, native] = [dense("onnxruntime-web"), dense("onnxruntime-node")];

/** Promises for the two models that LiteRT.js and PyTorch run: iTransformer and PatchTST, at batch 1 and 32. */
const two = (bound: number): Least => ({
  iTransformer: { 1: bound, 32: bound },
  PatchTST: { 1: bound, 32: bound },
});

const target = (
  task: Task,
  what: string,
  variants: readonly string[],
  against: Target["against"],
  bounds: Least,
) => ({ task, what, variants, against, least: bounds }) satisfies Target;

/** All promises; for one thread unless stated otherwise. */
export const targets: readonly Target[] = [
  target(
    "forecast",
    "dense against onnxruntime-web",
    ["dense"],
    web,
    least([1.8, 1.8, 2], [2, 2.1], [1.8, 2]),
  ),
  target("forecast", "dense against litert.js", ["dense"], dense("litert.js"), two(1.5)),
  target("browser", "in Chromium, dense against litert.js", ["dense"], dense("litert.js"), two(1.5)),
  target(
    "forecast",
    "dense against onnxruntime-node",
    ["dense"],
    native,
    least([0.62, 0.55, 0.5], [0.58, 0.7], [0.5, 0.5]),
  ),
  target(
    "forecast",
    "90 % unstructured against own dense",
    ["unstructured-90"],
    dense(own),
    every(6.5, 4.2, 3),
  ),
  target(
    "forecast",
    "90 % unstructured against dense onnxruntime-web",
    ["unstructured-90"],
    web,
    least([14, 14, 15], [7.5, 7.8], [6, 6]),
  ),
  target(
    "forecast",
    "90 % unstructured against dense onnxruntime-node",
    ["unstructured-90"],
    native,
    least([5.5, 3.8, 4.2], [3, 3.2], [1.5, 1.5]),
  ),
  target(
    "forecast",
    "50 % unstructured against own dense",
    ["unstructured-50"],
    dense(own),
    every(1.3, 1.4, 1.3),
  ),
  target(
    "forecast",
    "50 % in 2×1 or 4×1 blocks against own dense",
    ["2x1-50", "4x1-50"],
    dense(own),
    every(1.6, 1.65, 1.5),
  ),
  target("forecast", "50 % of channels against own dense", ["channels-50"], dense(own), every(2, 2, 2)),
  target("training", "training step, dense against tfjs-wasm", ["dense"], dense("tfjs-wasm"), steps(3)),
  target(
    "training",
    "training step, 90 % unstructured against own dense",
    ["unstructured-90"],
    dense(own),
    steps(2),
  ),
  target("training", "training step, dense against pytorch", ["dense"], dense("pytorch"), steps(1 / 1.2)),
  target(
    "training",
    "training step, 90 % unstructured against dense pytorch",
    ["unstructured-90"],
    dense("pytorch"),
    { iTransformer: { 32: 3.5 }, PatchTST: { 32: 2.5 } },
  ),
  twoThreads("threads forecast", "two threads against one, dense", "dense", at32(1.6)),
  twoThreads("threads forecast", "two threads against one, 90 % unstructured", "unstructured-90", at32(1.6)),
  twoThreads("threads training", "training step, two threads against one, dense", "dense", steps(1.6)),
  twoThreads(
    "threads training",
    "training step, two threads against one, 90 % unstructured",
    "unstructured-90",
    steps(1.6),
  ),
];

/** The same for every model that is timed on a GPU. */
const onGpu = (bounds: Readonly<Record<number, number>>): Least =>
  Object.fromEntries(gpuModels.map((model) => [model, bounds]));

/** Promises for a GPU. */
export const gpuTargets: readonly Target[] = [
  target("forecast", "dense against tfjs-webgpu", ["dense"], dense("tfjs-webgpu"), onGpu({ 1: 2, 32: 1.5 })),
  target(
    "forecast",
    "50 % of channels against own dense",
    ["channels-50"],
    dense("webgpu"),
    onGpu({ 256: 1.5 }),
  ),
];

const promised: Readonly<Record<string, readonly Target[]>> = { wasm: targets, webgpu: gpuTargets };

/** Most milliseconds for making a model of five million parameters ready, from its graph to the first run. */
const compileLimit = { what: "compile of a 5-million-parameter model", model: "iTransformer", most: 250 };

/** Most bytes of all kernels of one SIMD level. */
const maxModuleBytes = 100_000;

/** A promise beside what was measured. */
export interface Verdict {
  readonly what: string;
  readonly task: Task;
  readonly model: string;
  /** Undefined if it does not matter. */
  readonly batch: number | undefined;
  /** A ratio is at least so much, a time or a size at most. */
  readonly bound: number;
  readonly unit: "×" | "ms" | "bytes";
  /** Median, and half the distance between the quartiles; undefined if it was not timed, or computes something else. */
  readonly measured: { readonly median: number; readonly spread: number } | undefined;
  /** Undefined if it was not timed. */
  readonly met: boolean | undefined;
}

/** Every promise for the models and batch sizes that were timed; none on a program that stands in for a GPU. */
export function verdicts(results: PeerResults): Verdict[] {
  if (onSoftware(results)) return [];
  const kept = promised[ownOf(results)] ?? [];
  return [
    ...kept.flatMap((target) => ratioVerdicts(results, target)),
    ...compileVerdicts(results),
    ...moduleVerdicts(results),
  ];
}

function moduleVerdicts({ modules = {} }: PeerResults): Verdict[] {
  return Object.entries(modules).map(([simd, bytes]) => ({
    what: `all kernels, ${simd} SIMD`,
    task: "compile",
    model: "modules",
    batch: undefined,
    bound: maxModuleBytes,
    unit: "bytes",
    measured: { median: bytes, spread: 0 },
    met: bytes <= maxModuleBytes,
  }));
}

function ratioVerdicts(
  results: PeerResults,
  { what, task, variants, against, least: bounds, peer = ownOf(results) }: Target,
): Verdict[] {
  return Object.entries(bounds).flatMap(([model, batches]) =>
    Object.entries(batches).flatMap(([size, bound]): Verdict[] => {
      const batch = Number(size);
      const run = runOf(results, model, batch, task);
      if (run === undefined) return [];
      const slow = entryOf(run, against.peer, against.variant);
      const timed = variants.flatMap((variant) => {
        const fast = entryOf(run, peer, variant);
        if (slow === undefined || fast === undefined) return [];
        return [
          {
            fast,
            slow,
            sound: [fast, slow].every((e) => agrees(run, e.peer, e.variant, results.settings.tolerance)),
          },
        ];
      });
      const ratios = timed.flatMap(({ fast, slow, sound }) => (sound ? [ratioOf(slow, fast)] : []));
      const measured = ratios.toSorted((a, b) => b.median - a.median)[0];
      const met = timed.length === 0 ? undefined : measured !== undefined && measured.median >= bound;
      return [{ what, task, model, batch, bound, unit: "×", measured, met }];
    }),
  );
}

function compileVerdicts(results: PeerResults): Verdict[] {
  if (ownOf(results) !== own) return [];
  const { what, model, most } = compileLimit;
  const run = runOf(results, model, 1, "compile");
  if (run === undefined) return [];
  const measured = entryOf(run, own, "dense")?.timing;
  const met = measured === undefined ? undefined : measured.median <= most;
  return [{ what, task: "compile", model, batch: 1, bound: most, unit: "ms", measured, met }];
}
