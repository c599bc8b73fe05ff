import { parseDocument } from "@espalier/bench";
import { EspalierError } from "@espalier/core";
import { z } from "zod";

const positive = z.number().positive();
const count = z.number().nonnegative();

const entry = z.strictObject({
  peer: z.string(),
  variant: z.string(),
  /** Timed with nobody else taking turns. */
  alone: z.boolean(),
  /** Milliseconds a run. */
  timing: z.strictObject({ median: positive, spread: count, samples: z.int().positive() }),
  /** The median of each round. */
  rounds: z.array(positive).nonempty(),
});

const run = z.strictObject({
  model: z.string(),
  batch: z.int().positive(),
  /**
   * A forecast, in Node or in a page (`browser`: milliseconds of processor time), a step of training (forward, backward,
   * Adam), or making a model ready; `threads`: forecasts and training by the own backend on one thread and on more.
   */
  task: z.enum(["forecast", "browser", "training", "compile", "threads forecast", "threads training"]),
  entries: z.array(entry),
  /**
   * How far outputs (of training: the first loss) are from those of another runtime: ‖a − b‖ ÷ ‖b‖; null if they are
   * no numbers.
   */
  agreement: z.array(z.strictObject({ peer: z.string(), variant: z.string(), error: count.nullable() })),
});

const size = z.strictObject({
  model: z.string(),
  variant: z.string(),
  parameters: count,
  nonzero: count,
  sparsity: z.number(),
  /** FLOPs of one forecast at batch 1, zeros skipped. */
  flops: count,
});

const results = z.strictObject({
  format: z.literal(1),
  environment: z.strictObject({
    date: z.string(),
    processor: z.string(),
    cores: z.int(),
    platform: z.string(),
    node: z.string(),
    versions: z.record(z.string(), z.string()),
  }),
  settings: z.strictObject({
    time: positive,
    samples: z.int(),
    rounds: z.int(),
    /** Largest error between outputs; 1e-5 by default. */
    tolerance: positive.optional(),
  }),
  /** The backend whose pruned models are looked at; `wasm` by default. */
  own: z.string().optional(),
  peers: z.array(
    z.strictObject({
      name: z.string(),
      detail: z.string(),
      /** A program stands in for its GPU: its times say nothing about one. */
      software: z.boolean().optional(),
    }),
  ),
  /** Bytes of the own backend's modules, by SIMD level; files of before lack it. */
  modules: z.record(z.string(), z.int().positive()).optional(),
  /** Conformance checks, made before a backend was timed. */
  conformance: z
    .array(
      z.strictObject({
        backend: z.string(),
        tolerance: positive,
        checks: z.int(),
        failures: z.array(z.strictObject({ name: z.string(), error: z.string() })),
      }),
    )
    .optional(),
  sizes: z.array(size),
  runs: z.array(run),
  /** Subjects that could not be run, and the reasons. */
  failures: z.array(run.pick({ model: true, batch: true, task: true }).extend({ error: z.string() })),
});

/** Measurements of a comparison, with everything needed to repeat it. */
export type PeerResults = z.output<typeof results>;
export type PeerRun = z.output<typeof run>;
export type PeerEntry = z.output<typeof entry>;
export type VariantSize = z.output<typeof size>;
export type Task = PeerRun["task"];
export type Conformance = NonNullable<PeerResults["conformance"]>[number];

/** The backend that a comparison is about. */
export function ownOf({ own = "wasm" }: Pick<PeerResults, "own">): string {
  return own;
}

/** Whether a program stood in for a GPU: nothing is promised, and no speed claimed, on it. */
export function onSoftware({ peers }: Pick<PeerResults, "peers">): boolean {
  return peers.some(({ software }) => software);
}

/** Reads results back. Throws an EspalierError if the text is not that, or is of a newer format. */
export function parsePeerResults(text: string, where: string): PeerResults {
  return parseDocument(text, where, results, { content: "results of a comparison", format: "comparison" });
}

/** Merges the results of several runs. Throws an EspalierError if they ran on different machines. */
export function mergePeerResults(parts: readonly PeerResults[]): PeerResults {
  const [first] = parts as [PeerResults];
  const other = parts.find(
    ({ environment: { processor, node } }) =>
      processor !== first.environment.processor || node !== first.environment.node,
  );
  if (other !== undefined)
    throw new EspalierError(
      `results of ${first.environment.processor}, Node ${first.environment.node} and of ${other.environment.processor}, Node ${other.environment.node} cannot be one comparison.`,
    );
  /** The first of those that mean the same. */
  const each = <T>(all: readonly T[], key: (one: T) => string) =>
    [...new Map(all.toReversed().map((one) => [key(one), one])).values()].toReversed();
  return {
    ...first,
    peers: each(
      parts.flatMap(({ peers }) => peers),
      ({ name }) => name,
    ),
    sizes: each(
      parts.flatMap(({ sizes }) => sizes),
      ({ model, variant }) => `${model} ${variant}`,
    ),
    runs: parts.flatMap(({ runs }) => runs),
    failures: parts.flatMap(({ failures }) => failures),
  };
}

/** Largest error between outputs of two runtimes: beyond it one of them computes something else. */
const usualTolerance = 1e-5;

/** Whether a contender computes what the others do: times of different computations say nothing. */
export function agrees(run: PeerRun, peer: string, variant: string, tolerance = usualTolerance): boolean {
  const found = run.agreement.find((a) => a.peer === peer && a.variant === variant);
  return found === undefined || (found.error !== null && found.error <= tolerance);
}

/** The entry of a peer and variant that took turns with the others. */
export function entryOf(run: PeerRun, peer: string, variant: string, alone = false): PeerEntry | undefined {
  return run.entries.find((e) => e.peer === peer && e.variant === variant && e.alone === alone);
}

export function runOf(
  results: PeerResults,
  model: string,
  batch: number,
  task: Task = "forecast",
): PeerRun | undefined {
  return results.runs.find((r) => r.model === model && r.batch === batch && r.task === task);
}
