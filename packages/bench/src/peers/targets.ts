import { ratioOf } from "../measure/alternate.ts";
import { agrees, entryOf, type PeerResults, runOf, type Task } from "./results.ts";

/** The own backend, in which zeros are time. */
export const own = "wasm";

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
}

/** The same for every batch size that is promised. */
const every = (iTransformer: number, patchTST: number, crossformer: number): Least => ({
  iTransformer: { 1: iTransformer, 3: iTransformer, 32: iTransformer },
  PatchTST: { 1: patchTST, 32: patchTST },
  Crossformer: { 1: crossformer, 32: crossformer },
});

const forecast = { task: "forecast" } as const;
const ownDense = { peer: own, variant: "dense" };
const native = { peer: "onnxruntime-node", variant: "dense" };
const web = { peer: "onnxruntime-web", variant: "dense" };
/** Of training. */
const large = (bound: number): Least => ({ iTransformer: { 32: bound }, PatchTST: { 32: bound } });

/** What is promised for one thread. */
export const targets: readonly Target[] = [
  {
    ...forecast,
    what: "dense against onnxruntime-web",
    variants: ["dense"],
    against: web,
    least: {
      iTransformer: { 1: 2.2, 3: 2.1, 32: 2.4 },
      PatchTST: { 1: 2, 32: 2.1 },
      Crossformer: { 1: 1.8, 32: 2 },
    },
  },
  {
    ...forecast,
    what: "dense against onnxruntime-node",
    variants: ["dense"],
    against: native,
    least: {
      iTransformer: { 1: 0.62, 3: 0.55, 32: 0.5 },
      PatchTST: { 1: 0.58, 32: 0.7 },
      Crossformer: { 1: 0.5, 32: 0.5 },
    },
  },
  {
    ...forecast,
    what: "90 % unstructured against own dense",
    variants: ["unstructured-90"],
    against: ownDense,
    least: every(6, 3.6, 3),
  },
  {
    ...forecast,
    what: "90 % unstructured against dense onnxruntime-web",
    variants: ["unstructured-90"],
    against: web,
    least: {
      iTransformer: { 1: 14, 3: 14, 32: 15 },
      PatchTST: { 1: 7.5, 32: 7.8 },
      Crossformer: { 1: 6, 32: 6 },
    },
  },
  {
    ...forecast,
    what: "90 % unstructured against dense onnxruntime-node",
    variants: ["unstructured-90"],
    against: native,
    least: {
      iTransformer: { 1: 3.8, 3: 3.8, 32: 3.2 },
      PatchTST: { 1: 2.2, 32: 2.6 },
      Crossformer: { 1: 1.5, 32: 1.5 },
    },
  },
  {
    ...forecast,
    what: "50 % unstructured against own dense",
    variants: ["unstructured-50"],
    against: ownDense,
    least: every(1.3, 1.4, 1.3),
  },
  {
    ...forecast,
    what: "50 % in 2×1 or 4×1 blocks against own dense",
    variants: ["2x1-50", "4x1-50"],
    against: ownDense,
    least: every(1.6, 1.65, 1.5),
  },
  {
    ...forecast,
    what: "50 % of channels against own dense",
    variants: ["channels-50"],
    against: ownDense,
    least: every(2, 2, 2),
  },
  {
    task: "training",
    what: "training step, dense against tfjs-wasm",
    variants: ["dense"],
    against: { peer: "tfjs-wasm", variant: "dense" },
    least: large(3),
  },
  {
    task: "training",
    what: "training step, 90 % unstructured against own dense",
    variants: ["unstructured-90"],
    against: ownDense,
    least: large(2),
  },
];

/** Most milliseconds for making a model of five million parameters ready, from its graph to the first run. */
const compileLimit = { what: "compile of a 5-million-parameter model", model: "iTransformer", most: 250 };

/** A promise beside what was measured. */
export interface Verdict {
  readonly what: string;
  readonly task: Task;
  readonly model: string;
  readonly batch: number;
  /** A ratio is at least so much, a time at most. */
  readonly bound: number;
  readonly unit: "×" | "ms";
  /** Median, and half the distance between the quartiles; undefined where it was not timed, or computes something else. */
  readonly measured: { readonly median: number; readonly spread: number } | undefined;
  /** Undefined where it was not timed. */
  readonly met: boolean | undefined;
}

/** Every promise for the models and batch sizes that were timed. */
export function verdicts(results: PeerResults): Verdict[] {
  return [...targets.flatMap((target) => ratioVerdicts(results, target)), ...compileVerdicts(results)];
}

function ratioVerdicts(results: PeerResults, { what, task, variants, against, least }: Target): Verdict[] {
  return Object.entries(least).flatMap(([model, batches]) =>
    Object.entries(batches).flatMap(([size, bound]): Verdict[] => {
      const batch = Number(size);
      const run = runOf(results, model, batch, task);
      if (run === undefined) return [];
      const slow = entryOf(run, against.peer, against.variant);
      const timed = variants.flatMap((variant) => {
        const fast = entryOf(run, own, variant);
        if (slow === undefined || fast === undefined) return [];
        return [{ fast, slow, sound: [fast, slow].every((e) => agrees(run, e.peer, e.variant)) }];
      });
      const ratios = timed.flatMap(({ fast, slow, sound }) => (sound ? [ratioOf(slow, fast)] : []));
      const measured = ratios.toSorted((a, b) => b.median - a.median)[0];
      const met = timed.length === 0 ? undefined : measured !== undefined && measured.median >= bound;
      return [{ what, task, model, batch, bound, unit: "×", measured, met }];
    }),
  );
}

function compileVerdicts(results: PeerResults): Verdict[] {
  const { what, model, most } = compileLimit;
  const run = runOf(results, model, 1, "compile");
  if (run === undefined) return [];
  const measured = entryOf(run, own, "dense")?.timing;
  const met = measured === undefined ? undefined : measured.median <= most;
  return [{ what, task: "compile", model, batch: 1, bound: most, unit: "ms", measured, met }];
}
