import {
  type Block,
  bestOf,
  type Document,
  formatBytes,
  formatError,
  formatErrorStat,
  formatShare,
  formatSpeedup,
  paragraph,
  plural,
  searchFigures,
  searchTable,
  statOf,
  stepTexts,
  type Table,
} from "@espalier/report";
import { type Findings, modelName, type Point } from "@espalier/search";
import type { PublishedSearch } from "./asked.ts";
import { type ContestRun, contestBlocks } from "./hypervolume.ts";
import { ownSizes, ownSizesBlocks } from "./own-sizes.ts";

/** A published search and what it found. */
export interface Found {
  readonly search: PublishedSearch;
  readonly findings: Findings;
}

/** The page of all published searches. */
export function searchesDocument(found: readonly Found[], contest: readonly ContestRun[]): Document {
  const processors = [...new Set(found.map(({ findings }) => processorOf(findings)))].join("; ");
  return {
    title: "The smallest model within an error",
    lead: `Results of ${plural(found.length, "search", "searches")} by espalier search. Only validation data decided; each chosen recipe ran with three seeds, and test errors were measured once, after that. Processor: ${processors}.`,
    blocks: [
      { kind: "table", table: promisesTable(found) },
      paragraph(
        "The space was widened while it was tried on ETTh1, where test errors of recipes made by hand were looked at: one of its starts has neither attention nor feed-forward modules, because such models were good there. ETTh1 is therefore no clean check of the search. The other data sets are, but for one change after exchange_rate had been searched without success: its reference, the model trained on, was one seed then (validation 0.1195), and is the mean of three now (0.1224), as the choice is. Test errors played no part in that.",
      ),
      paragraph(
        "The limit of PatchTST as given has a margin of 0.5 % of the validation error. It was chosen after a search without one (1.53 % of the bytes) had ended at a test error of 0.3940 ± 0.0008.",
      ),
      { kind: "table", table: outcomesTable(found) },
      ...rivalsBlocks(found),
      { kind: "heading", level: 2, text: "What the best have in common" },
      ...commonBlocks(found),
      ...contestBlocks(contest.filter(({ way }) => way !== ownSizes)),
      ...ownSizesBlocks(contest),
      ...found.flatMap(searchBlocks),
      ...repeatBlocks(found),
    ],
  };
}

/** `iTransformer 128 on ETTh1, least bytes within +1 % of the model trained on`. */
function titleOf({ model, data }: PublishedSearch, { header: { goal } }: Findings): string {
  const measure = goal.minimize === "latency" ? "time" : goal.minimize;
  const limit = `${goal.error}`.replace(/ ?%$/, " %");
  const reference = goal.reference === "tuned" ? "trained on" : "as given";
  return `${model} on ${data}, least ${measure} within ${limit} of the model ${reference}`;
}

function processorOf({ header }: Findings): string {
  return (header.environment as { processor?: string } | undefined)?.processor ?? "unknown";
}

/** Test errors of the chosen recipe's seeds. */
function testsOf({ chosen, tests }: Findings): number[] {
  const byModel = new Map(tests.map(({ model, mse }) => [model, mse]));
  return (chosen?.trials ?? []).flatMap((trial) => byModel.get(modelName(trial)) ?? []);
}

/** The share asked of the search and the share reached, mean of the seeds. */
function promisesTable(found: readonly Found[]): Table {
  return {
    caption: "Asked and reached: test MSE and share, mean of three seeds",
    columns: [
      { label: "search" },
      ...["test error at most", "reached", "best by hand", "asked", "reached"].map((label) => ({
        label,
        numeric: true,
      })),
      { label: "" },
    ],
    rows: found.flatMap(({ search, findings }) => {
      const { asked } = search;
      if (asked === undefined) return [];
      const timed = findings.header.goal.minimize === "latency";
      const share = (value: number) =>
        timed ? `${formatSpeedup(1 / value)} as fast` : `${formatShare(value, 2)} of the bytes`;
      const most = asked.test * asked.factor;
      const head = [titleOf(search, findings), formatError(most)];
      const { chosen } = findings;
      const hand = asked.byHand === undefined ? "–" : share(asked.byHand);
      if (chosen === undefined) return [[...head, "nothing", hand, share(asked.share), "", "missed"]];
      const test = statOf(testsOf(findings));
      const reached = timed ? chosen.mean.latency!.share : chosen.mean.bytes;
      return [
        [
          ...head,
          formatErrorStat(test),
          hand,
          share(asked.share),
          share(reached),
          test.mean <= most && reached <= asked.share ? "kept" : "missed",
        ],
      ];
    }),
  };
}

function outcomesTable(found: readonly Found[]): Table {
  return {
    caption:
      "What was found. Errors: MSE in the models' units; mean and sample standard deviation if there are several seeds. Shares of the dense model.",
    columns: [
      { label: "search" },
      ...["validation limit", "validation", "test", "test, as given", "test, trained on"].map((label) => ({
        label,
        numeric: true,
      })),
      ...["file", "bytes", "FLOPs", "fine-tunings"].map((label) => ({ label, numeric: true })),
    ],
    rows: found.map(({ search, findings }) => {
      const { chosen, tests, trials, allowed, header } = findings;
      const testOf = (pattern: RegExp) => {
        const errors = tests.filter(({ model }) => pattern.test(model)).map(({ mse }) => mse);
        return errors.length === 0 ? "" : formatErrorStat(statOf(errors));
      };
      return [
        titleOf(search, findings),
        allowed === undefined ? "" : formatError(allowed),
        chosen === undefined
          ? ""
          : formatErrorStat(statOf(chosen.trials.map((t) => t.result.validation.mse))),
        chosen === undefined ? "" : formatErrorStat(statOf(testsOf(findings))),
        testOf(/^dense$/),
        testOf(/^dense-rung/),
        chosen === undefined ? "" : formatBytes(chosen.mean.bytes * header.model.bytes),
        chosen === undefined ? "" : formatShare(chosen.mean.bytes, 2),
        chosen === undefined ? "" : formatShare(chosen.mean.flops, 2),
        `${trials.length}`,
      ];
    }),
  };
}

/** The gallery's recipes at the sizes of the chosen ones. */
function rivalsBlocks(found: readonly Found[]): Block[] {
  const compared = found.filter(({ findings: { rivals = [] } }) => rivals.length > 0);
  if (compared.length === 0) return [];
  return [
    { kind: "heading", level: 2, text: "At the same size" },
    { kind: "table", table: rivalsTable(compared) },
  ];
}

function rivalsTable(compared: readonly Found[]): Table {
  const labelOf = (of: string | number) => `${of}`.replace(/ at \S+ \w+$/, "");
  const labels = [
    ...new Set(compared.flatMap(({ findings }) => findings.rivals!.map(({ of }) => labelOf(of)))),
  ];
  return {
    caption:
      "Test MSE of the chosen recipe (mean of its seeds) and of the gallery's fixed recipes at its size (one seed), with the tuning that they have there (3 to 5 epochs of all batches); a dash if a recipe cannot make so small a model, or was not run",
    columns: [{ label: "search" }, ...["chosen", ...labels].map((label) => ({ label, numeric: true }))],
    rows: compared.map(({ search, findings }) => [
      titleOf(search, findings),
      formatErrorStat(statOf(testsOf(findings))),
      ...labels.map((label) => {
        const rival = findings.rivals!.find(({ of }) => labelOf(of) === label);
        const test = rival && findings.tests.find(({ model }) => model === modelName(rival));
        return test === undefined ? "–" : formatError(test.mse);
      }),
    ]),
  };
}

/** Decisions that are counted among the best quarter and among all candidates. */
const decisions: readonly (readonly [label: string, has: (point: Point) => boolean])[] = [
  ["no attention", ({ attention }) => attention === 0],
  ["half of the attention", ({ attention }) => typeof attention === "number" && attention > 0],
  ["no feed-forward", ({ feedForward }) => feedForward === 0],
  ["half of the feed-forward", ({ feedForward }) => typeof feedForward === "number" && feedForward > 0],
  ["channels, then masks", ({ channels }) => channels === "then masks"],
  ["channels only", ({ channels }) => channels === "only"],
  ["masks only", ({ channels }) => channels === "keep"],
  ["no teacher", ({ distill }) => distill === 0],
];

function commonBlocks(found: readonly Found[]): Block[] {
  const counted = found.map(({ findings }) => {
    const { candidates } = findings;
    return {
      best: bestOf(findings).map(({ of }) => candidates[of]!.point),
      all: candidates.filter(({ error }) => error === undefined).map(({ point }) => point),
    };
  });
  const share = (points: readonly Point[], has: (point: Point) => boolean) =>
    formatShare(points.filter(has).length / points.length);
  const rateOf = (points: readonly Point[]) => {
    const rates = points.map(({ learningRate }) => learningRate as number).sort((a, b) => a - b);
    return rates.length === 0 ? "" : `${rates[Math.floor(rates.length / 2)]}`;
  };
  const table: Table = {
    caption:
      "Share of the best quarter of the candidates that were tuned longer (in brackets: of all candidates) with each decision",
    columns: [
      { label: "decision" },
      ...found.map(({ search, findings }) => ({ label: titleOf(search, findings), numeric: true })),
    ],
    rows: [
      ["recipes", ...counted.map(({ best, all }) => `${best.length} (${all.length})`)],
      ...decisions.map(([label, has]) => [
        label,
        ...counted.map(({ best, all }) => `${share(best, has)} (${share(all, has)})`),
      ]),
      ["median learning rate", ...counted.map(({ best, all }) => `${rateOf(best)} (${rateOf(all)})`)],
    ],
  };
  return [paragraph(partsLost(found)), { kind: "table", table }];
}

/** Whether the best models keep their attention and feed-forward modules, by data set. */
function partsLost(found: readonly Found[]): string {
  const sets = [...new Set(found.map(({ search }) => search.data))];
  const texts = sets.map((data) => {
    const best = found
      .filter(({ search }) => search.data === data)
      .flatMap(({ findings }) => bestOf(findings).map(({ of }) => findings.candidates[of]!.point));
    const without = (kind: string) => best.filter((point) => point[kind] === 0).length;
    return `${data}: of ${best.length}, ${without("attention")} have no attention, ${without("feedForward")} no feed-forward modules`;
  });
  return `Do the best models keep their modules? ${texts.join("; ")}.`;
}

function searchBlocks({ search, findings }: Found): Block[] {
  const [figure] = searchFigures(findings).filter(({ name }) =>
    findings.header.goal.minimize === "latency" ? name === "error-latency" : name === "error-bytes",
  );
  const { chosen, unmet } = findings;
  return [
    { kind: "heading", level: 2, text: titleOf(search, findings) },
    ...(unmet === undefined ? [] : [paragraph(`${unmet.why}.`)]),
    ...(figure === undefined
      ? []
      : [{ kind: "figure", figure: { ...figure, name: `${search.name}-${figure.name}` } } as const]),
    { kind: "table", table: searchTable(findings) },
    ...(chosen === undefined ? [] : [{ kind: "list", items: stepTexts(chosen.recipe) } as const]),
  ];
}

/** Commands, models first. */
function repeatBlocks(found: readonly Found[]): Block[] {
  const commands = found.flatMap(({ search: { name, trained, options } }) => {
    const model = `${trained === undefined ? name.split("-")[0] : name}.safetensors`;
    return [
      ...(trained === undefined ? [] : [`npx espalier train ${trained} --out ${model}`]),
      `npx espalier search ${model} ${options} --out runs/${name}`,
    ];
  });
  return [
    { kind: "heading", level: 2, text: "Repeat it" },
    paragraph(
      "With the same version and kind of processor, errors come out the same to the last digit; times do not. The searches above ran with the versions of their day: a later one proposes other candidates, and finds other models. The checkpoints of iTransformer and PatchTST on ETTh1 are those of Time-Series-Library, taken over with espalier import.",
    ),
    {
      kind: "code",
      language: "sh",
      text: [...commands, "npx -y pnpm@12 bench:search --from runs"].join("\n"),
    },
  ];
}
