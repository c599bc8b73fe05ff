import { ratioOf } from "@espalier/bench/measure";
import {
  type Block,
  type Document,
  formatFlops,
  formatShare,
  formatSpeedup,
  formatTime,
  formatTimeStat,
  type Table,
} from "@espalier/report";
import { deviceOf, speedUpCurves } from "./chart.ts";
import {
  agrees,
  type Conformance,
  entryOf,
  onSoftware,
  ownOf,
  type PeerEntry,
  type PeerResults,
  type PeerRun,
} from "./results.ts";
import { type Verdict, verdicts } from "./targets.ts";

/** Everything a comparison says: promises beside what was measured, times of all, and curves. */
export function peersDocument(results: PeerResults): Document {
  const { environment: machine, settings, peers } = results;
  const models = [...new Set(results.runs.map(({ model }) => model))];
  const all = verdicts(results);
  const threads =
    ownOf(results) === "wasm" ? " One thread each where nothing else is said;" : ` ${deviceOf(results)};`;
  return {
    title: onSoftware(results) ? "Without a GPU: correctness only" : "Speed against other runtimes",
    lead: `${machine.processor} (${machine.cores} cores), ${machine.platform}, Node ${machine.node}, ${machine.date.slice(0, 10)}.${threads} contenders take turns in one process (${settings.rounds} rounds); medians, ratios are medians over rounds.${settings.rounds < 7 ? " So few rounds are for trying out, not for quoting." : ""}`,
    blocks: [
      { kind: "list", items: peers.map(({ name, detail }) => `${name}: ${detail}`) },
      ...softwareBlocks(results),
      ...conformanceBlocks(results.conformance ?? []),
      ...problemBlocks(results),
      ...promiseBlocks(all),
      ...models.flatMap((model) => modelBlocks(results, model)),
    ],
  };
}

function softwareBlocks(results: PeerResults): Block[] {
  if (!onSoftware(results)) return [];
  const text =
    "A program stood in for the GPU. Its results count; its times say nothing about a GPU, so no speed is claimed from them.";
  return [{ kind: "paragraph", text }];
}

/** Conformance: how many checks passed, and which did not. */
function conformanceBlocks(conformance: readonly Conformance[]): Block[] {
  if (conformance.length === 0) return [];
  const lines = conformance.flatMap(({ backend, tolerance, checks, failures }) => [
    `${backend}: ${checks - failures.length} of ${checks} checks hold (tolerance ${tolerance})`,
    ...failures.map(({ name, error }) => `${backend}, ${name}: ${error}`),
  ]);
  return [
    { kind: "heading", level: 2, text: "Conformance" },
    { kind: "list", items: lines },
  ];
}

/** Failures, and peers that computed something else: their times do not count. */
function problemBlocks(results: PeerResults): Block[] {
  const { runs, failures } = results;
  const items = [
    ...failures.map(({ model, batch, task, error }) => `${model}, batch ${batch}, ${task} failed: ${error}`),
    ...runs.flatMap((run) =>
      run.agreement
        .filter(({ peer, variant }) => !agrees(run, peer, variant, results.settings.tolerance))
        .map(
          ({ peer, variant, error }) =>
            `${run.model}, batch ${run.batch}, ${run.task}: outputs of ${peer} ${variant} differ from those of the others by ${error?.toPrecision(2) ?? "what is no number"}`,
        ),
    ),
  ];
  return items.length === 0
    ? []
    : [
        { kind: "heading", level: 2, text: "Problems" },
        { kind: "list", items },
      ];
}

function promiseBlocks(all: readonly Verdict[]): Block[] {
  const known = all.filter(({ met }) => met !== undefined);
  if (known.length === 0) return [];
  const met = known.filter((verdict) => verdict.met).length;
  const models = [...new Set(known.map(({ model }) => model))];
  return [
    { kind: "heading", level: 2, text: `Promises: ${met} of ${known.length} kept` },
    ...models.map((model): Block => {
      const own = known.filter((verdict) => verdict.model === model);
      return { kind: "table", table: promiseTable(model, own) };
    }),
  ];
}

/** The number as the promise states it. */
const kilobytes = (bytes: number) => `${(bytes / 1000).toFixed(1)} kB`;

/** A row a promise, a column a batch size. */
function promiseTable(model: string, known: readonly Verdict[]): Table {
  const batches = [...new Set(known.map(({ batch }) => batch))].toSorted((a = 0, b = 0) => a - b);
  const cell = (verdict: Verdict | undefined): string => {
    if (verdict === undefined) return "";
    const { bound, unit, measured, met } = verdict;
    const format = { ms: formatTime, bytes: kilobytes, "×": formatSpeedup }[unit];
    const got = measured === undefined ? "outputs differ" : format(measured.median);
    return `${got} (${unit === "×" ? "≥" : "≤"} ${format(bound)}) ${met ? "✓" : "✗"}`;
  };
  return {
    caption: `${model}: measured (promised)`,
    columns: [
      { label: "promise" },
      ...batches.map((batch) => ({ label: batch === undefined ? "size" : `batch ${batch}`, numeric: true })),
    ],
    rows: [...new Set(known.map(({ what }) => what))].map((what) => [
      what,
      ...batches.map((batch) => cell(known.find((v) => v.what === what && v.batch === batch))),
    ]),
  };
}

function modelBlocks(results: PeerResults, model: string): Block[] {
  const spec = speedUpCurves(results, model);
  const runs = results.runs.filter((run) => run.model === model);
  const tables = runs.map((run) => timesTable(results, run));
  return [
    { kind: "heading", level: 2, text: model },
    ...(spec === undefined
      ? []
      : [
          {
            kind: "figure" as const,
            figure: {
              name: `speed-up-${model
                .toLowerCase()
                .replace(/[^a-z0-9]+/g, "-")
                .replace(/-$/, "")}`,
              title: `Speed-up of ${model} by sparsity`,
              spec,
              alt: `Curves of the speed-up over the dense model against sparsity, for each batch size of ${model}.`,
              caption: "Above a dashed line the pruned model is faster than that runtime with the dense one.",
            },
          },
        ]),
    ...tables.map((table): Block => ({ kind: "table", table })),
  ];
}

const tasks = {
  forecast: "a forecast",
  browser: "a forecast in a page, processor time",
  training: "a training step",
  compile: "making the model ready",
  "threads forecast": "a forecast on one thread and on more",
  "threads training": "a training step on one thread and on more",
} as const;

/** Peers to compare with, if they ran the dense model, after the own backend. */
const references = [
  "onnxruntime-web",
  "litert.js",
  "onnxruntime-node",
  "pytorch",
  "tfjs-wasm",
  "tfjs-webgpu",
];

interface Column {
  readonly label: string;
  readonly numeric?: boolean;
  readonly cell: (entry: PeerEntry) => string;
}

/** A row a contender. */
function timesTable(results: PeerResults, run: PeerRun): Table {
  const sizeOf = ({ variant }: PeerEntry) =>
    results.sizes.find((size) => size.model === run.model && size.variant === variant)!;
  const columns: Column[] = [
    { label: "runtime", cell: ({ peer, alone }) => (alone ? `${peer}, alone` : peer) },
    { label: "variant", cell: ({ variant }) => variant },
    { label: "sparsity", numeric: true, cell: (entry) => formatShare(sizeOf(entry).sparsity, 1) },
    ...(run.task === "forecast"
      ? [
          {
            label: "FLOPs",
            numeric: true,
            cell: (entry: PeerEntry) => formatFlops(sizeOf(entry).flops * run.batch),
          },
        ]
      : []),
    {
      label: "time",
      numeric: true,
      cell: ({ timing: { median: mean, spread } }) => formatTimeStat({ mean, spread }),
    },
    ...[ownOf(results), ...references].flatMap((peer): Column[] => {
      const dense = entryOf(run, peer, "dense");
      if (dense === undefined || onSoftware(results)) return [];
      const cell = (entry: PeerEntry) => (entry.alone ? "–" : formatSpeedup(ratioOf(dense, entry).median));
      return [{ label: `× ${peer} dense`, numeric: true, cell }];
    }),
  ];
  return {
    caption: `${run.model}, batch ${run.batch}: ${tasks[run.task]}; ${onSoftware(results) ? "on a program, not on a GPU" : "× says how many times as fast as others"}`,
    columns,
    rows: run.entries.map((entry) => columns.map(({ cell }) => cell(entry))),
  };
}
