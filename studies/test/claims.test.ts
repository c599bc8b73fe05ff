import { readFile } from "node:fs/promises";
import { type ResultRecord, readSweepConfig } from "@espalier/bench";
import { describe, expect, it } from "vitest";
import {
  denseCell,
  latencyRecord,
  pruneCell,
  pruneRecord,
  trainRecord,
} from "../../packages/report/test/records.ts";
import { claimsMarkdown, committedStudies, type Study, studyMarkdown } from "../claims/index.ts";
import { kieferClaims } from "../claims/kiefer.ts";
import { verdictOf } from "../claims/rule.ts";

describe("the pages of the published studies", () => {
  // Not so? pnpm bench:claims writes them anew.
  const page = (path: string) => readFile(new URL(`../../results/${path}`, import.meta.url), "utf8");

  it("are what the committed results say", async () => {
    const studies = await committedStudies();
    expect(claimsMarkdown(studies)).toBe(await page("CLAIMS.md"));
    for (const study of Object.values(studies))
      expect(studyMarkdown(study)).toBe(await page(`${study.name}/README.md`));
  });
});

const sparsities = [0.2, 0.488, 0.866];

interface Options {
  /** MSE against the dense model's, before and after fine-tuning, by sparsity. */
  readonly errors: Readonly<Record<string, readonly [number, number]>>;
  readonly speedup?: number;
  readonly seeds?: readonly number[];
  /** How much the errors of seeds differ. */
  readonly spread?: number;
  readonly evaluationWindows?: number;
}

/** Two models, one of which works on frequencies, pruned and timed. */
function records({ errors, speedup = 1, seeds = [0, 1, 2], spread = 0, ...data }: Options): ResultRecord[] {
  return ["Autoformer", "Transformer"].flatMap((use) =>
    seeds.flatMap((seed) => {
      const plain = denseCell("synthetic", seed);
      const dense = { ...plain, model: { use }, data: { ...plain.data, ...data } };
      const trained = trainRecord(dense);
      const runs = ["unstructured", "channel"].flatMap((strategy) =>
        Object.entries(errors).flatMap(([sparsity, ratios]) =>
          ratios.map((ratio, epochs) => {
            const cell = {
              ...pruneCell(dense, strategy, { sparsity: Number(sparsity) }, { epochs }),
              strategy: { use: strategy, ...(strategy === "channel" && { label: "structured" }) },
            };
            const { result, ...rest } = pruneRecord(cell);
            const mse = result.dense.test.mse * (ratio + spread * (seed - 1));
            return { ...rest, result: { ...result, tuned: { ...result.tuned, mse } } };
          }),
        ),
      );
      const times = runs
        .filter(({ cell }) => cell.fineTuning.epochs === 0)
        .map(({ cell, result }) => latencyRecord(cell, "wasm", 3, speedup, result.sparsity));
      return [trained, ...runs, ...times];
    }),
  );
}

function studyOf(name: string, found: readonly ResultRecord[], literature: Study["literature"] = {}): Study {
  const config = readSweepConfig({
    models: [{ use: "Autoformer" }, { use: "Transformer" }],
    datasets: ["synthetic"],
    strategies: [{ use: "unstructured" }, { use: "channel", label: "structured" }],
    targets: sparsities.map((sparsity) => ({ sparsity })),
  });
  return {
    name,
    file: "study.yaml",
    config,
    records: found,
    untrained: found,
    charts: [],
    title: name,
    about: "",
    literature,
    settings: [],
  };
}

/** Verdicts of the second study, in the order of its page. */
function verdicts(options: Options, literature: Study["literature"] = {}): string[] {
  const kiefer = studyOf("kiefer", records(options), literature);
  return kieferClaims(kiefer).map(({ verdict }) => verdict);
}

const good = { 0.2: [1.06, 1], 0.488: [1.3, 1.005], 0.866: [2, 1.2] } as const;
const none = "cannot be judged here";

describe("verdicts", () => {
  it("hold where the figures say so, and do not where they contradict it", () => {
    const [half, fourier, tuning, time] = verdicts({ errors: good });
    // Both models go equally far.
    expect([half, fourier, tuning, time]).toEqual(["holds", "does not hold", "holds", "holds"]);
    const bad = { 0.2: [1, 1.3], 0.488: [1.01, 1.3], 0.866: [1.02, 1.3] } as const;
    const [lost, , needless, fast] = verdicts({ errors: bad, speedup: 3 });
    expect([lost, needless, fast]).toEqual(["does not hold", "does not hold", "does not hold"]);
  });

  it("hold in part where comparisons differ", () => {
    const [, , tuning] = verdicts({ errors: { ...good, 0.2: [1.01, 1] } });
    expect(tuning).toBe("holds in part");
  });

  it.each([
    ["too few seeds", { seeds: [0, 1] }, {}],
    ["some of the windows", { evaluationWindows: 150 }, {}],
    ["dense models that are not trained", {}, { Transformer: 0.1 }],
    ["errors that differ more between seeds than the bound", { spread: 0.2 }, {}],
    ["no results", { seeds: [] }, {}],
  ] as const)("are not given for %s", (_, options, literature) => {
    const [half, fourier, tuning] = verdicts({ errors: good, ...options }, literature);
    expect(half).toBe(none);
    expect([fourier, tuning]).not.toContain("holds");
  });

  it("are not given while a comparison is missing", () => {
    const { 0.866: _, ...some } = good;
    const [half, fourier, tuning] = verdicts({ errors: some });
    expect([half, fourier, tuning]).toEqual(["holds", none, none]);
  });

  it("need one that stands against the open ones", () => {
    expect(verdictOf(["yes", "open"])).toBe(none);
    expect(verdictOf(["yes", "no", "open"])).toBe("holds in part");
    expect(verdictOf(["yes", "no", "missing"])).toBe(none);
  });
});
