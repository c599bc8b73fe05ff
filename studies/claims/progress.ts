import { cellsOf, isFailure, stableKey } from "@espalier/bench";
import {
  type Block,
  formatDuration,
  formatErrorStat,
  formatShare,
  machinesOf,
  paragraph,
  type Table,
} from "@espalier/report";
import { comparisonsOf, densesOf, modelsOf, type Study } from "./comparisons.ts";
import { changeText } from "./rule.ts";

const kinds = {
  train: "dense models trained",
  prune: "models pruned",
  sensitivity: "dense models pruned layer by layer",
  latency: "pairs timed",
} as const;

/** How much of a study there is so far, and what it cost. */
export function progressTable({ config, records }: Study): Table {
  const done = records.filter((record) => !isFailure(record));
  const known = new Map(done.map((record) => [stableKey(record.cell), record]));
  const cells = cellsOf(config);
  const rows = Object.entries(kinds).flatMap(([kind, label]) => {
    const own = cells.filter((cell) => cell.kind === kind);
    if (own.length === 0) return [];
    const found = own.flatMap((cell) => known.get(stableKey(cell)) ?? []);
    const processor = found.reduce((sum, record) => sum + (record.processorSeconds ?? record.seconds), 0);
    return [[label, `${found.length}`, `${own.length}`, found.length === 0 ? "" : formatDuration(processor)]];
  });
  return {
    caption: "Done so far",
    columns: [{ label: "" }, ...["done", "of", "processor time"].map((label) => ({ label, numeric: true }))],
    rows,
  };
}

/** The machines of a study, in a line. */
export function machineText(records: Study["records"]): string {
  const machines = machinesOf(records).map(
    ({ processor, cores, node }) => `${processor}, ${cores} cores, Node ${node}`,
  );
  return [...new Set(machines)].join("; ");
}

/** Dense errors beside the literature's: whether the models are trained. */
export function denseTable(study: Study): Table {
  const denses = densesOf(study);
  const literature = Object.keys(study.literature).length > 0;
  return {
    caption: `Dense models on ${study.config.datasets[0]}, ${study.config.inputLength} → ${study.config.horizon}, every window of the test split`,
    columns: [
      { label: "model" },
      ...["seeds", "epochs", "test MSE", "test MAE"].map((label) => ({ label, numeric: true })),
      ...(literature
        ? [
            { label: "MSE in the literature", numeric: true },
            { label: "difference", numeric: true },
          ]
        : []),
    ],
    rows: modelsOf(study).map((model) => {
      const dense = denses.find((one) => one.model === model);
      const known = study.literature[model];
      const published = literature ? [known === undefined ? "" : `${known}`] : [];
      if (dense === undefined) return [model, "0", "", "", "", ...published, ...(literature ? [""] : [])];
      const difference =
        known === undefined
          ? ""
          : `${dense.mse.mean < known ? "−" : "+"}${formatShare(Math.abs(dense.mse.mean / known - 1), 1)}`;
      return [
        model,
        `${dense.seeds}`,
        dense.epochs.join(", "),
        formatErrorStat(dense.mse),
        formatErrorStat(dense.mae),
        ...published,
        ...(literature ? [difference] : []),
      ];
    }),
  };
}

/** Errors of all pruned models after fine-tuning, those by Espalier's own recipes among them; undefined while there are none. */
export function tunedTable(study: Study): Table | undefined {
  const tuned = comparisonsOf(study).filter((one) => one.tuned);
  if (tuned.length === 0) return undefined;
  const sparsities = [...new Set(tuned.map(({ sparsity }) => sparsity))].sort((a, b) => a - b);
  const seeds = (n: number) => `${n} ${n === 1 ? "seed" : "seeds"}`;
  return {
    caption:
      "MSE against the dense model's, pruned and fine-tuned, by the share of parameters that are zero or gone",
    columns: [
      { label: "model" },
      { label: "pruned by" },
      ...sparsities.map((sparsity) => ({ label: formatShare(sparsity), numeric: true })),
    ],
    rows: modelsOf(study).flatMap((model) => {
      const own = tuned.filter((one) => one.model === model);
      return [...new Set(own.map(({ strategy }) => strategy))].map((strategy) => [
        model,
        strategy,
        ...sparsities.map((sparsity) => {
          const found = own.find((one) => one.strategy === strategy && one.sparsity === sparsity);
          return found === undefined ? "" : `${changeText(found.ratio)} (${seeds(found.seeds)})`;
        }),
      ]);
    }),
  };
}

/** The published set-up, and the differences here. */
export function settingsTable({ config, settings }: Study): Table {
  return {
    caption: "Set-up",
    columns: [{ label: "" }, { label: "published" }, { label: "here" }],
    rows: settings.map(({ setting, published, here }) => [setting, published, here(config)]),
  };
}

/** How to go on with a study. */
export function commandBlocks({ name, file }: Study): Block[] {
  return [
    paragraph("The same command goes on where it was stopped, within a cell after its last epoch:"),
    { kind: "code", language: "sh", text: `npx -y pnpm@12 sweep ${file} --out runs/${name}` },
  ];
}
