import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { toMarkdown } from "@espalier/report";
import { describe, expect, it } from "vitest";
import {
  cases,
  choices,
  parseRecovery,
  type RecoveryResults,
  type RecoveryRun,
  recoveryDocument,
  settingsText,
  verdictOf,
} from "../recovery/index.ts";

const masked = cases.find(({ id }) => id === "iTransformer-masked-90")!;
const attention = cases.find(({ id }) => id === "iTransformer-attention")!;

function run(of: typeof masked, seed: number, mse: number): RecoveryRun {
  return {
    case: of.id,
    seed,
    settings: settingsText(of),
    validation: [0.7, 0.69],
    best: 2,
    test: { mse, mae: 0.4 },
    left: { parameters: 1, nonzero: 0.1, flops: 0.12, bytes: 0.13 },
    masked: 0.9,
    seconds: 1,
    digest: "d",
    date: "2026-01-01T00:00:00.000Z",
  };
}

const results = (...runs: RecoveryRun[]): RecoveryResults => ({
  format: 1,
  environment: {
    date: "2026-01-01T00:00:00.000Z",
    processor: "p",
    cores: 2,
    platform: "linux x64",
    node: "v24",
    versions: { espalier: "0.0.0" },
    dataChecksum: "c",
  },
  dense: ["iTransformer", "PatchTST"].map((model) => ({
    model,
    validation: { mse: 0.7, mae: 0.5 },
    test: { mse: 0.4, mae: 0.4 },
    parameters: 1000,
    flops: 2000,
  })),
  runs,
});

describe("the recovery study", () => {
  it("judges the mean of all seeds, with their sample standard deviation", () => {
    const met = verdictOf(
      results(run(masked, 1, 0.401), run(masked, 2, 0.403), run(masked, 3, 0.405)),
      masked,
    )!;
    expect(met.mean).toBeCloseTo(0.403, 12);
    expect(met.spread).toBeCloseTo(0.002, 12);
    expect(met).toMatchObject({ limit: 0.403, met: true });
    const missed = verdictOf(results(...[1, 2, 3].map((seed) => run(masked, seed, 0.4031))), masked)!;
    expect(missed.met).toBe(false);
  });

  it("judges nothing while seeds are missing, and takes limits that are multiples of the dense error", () => {
    expect(verdictOf(results(), masked)).toBeUndefined();
    expect(verdictOf(results(run(masked, 1, 0.1)), masked)).not.toHaveProperty("met");
    const seeds = [1, 2, 3];
    expect(verdictOf(results(...seeds.map((seed) => run(attention, seed, 0.399))), attention)!.met).toBe(
      true,
    );
    expect(verdictOf(results(...seeds.map((seed) => run(attention, seed, 0.401))), attention)!.met).toBe(
      false,
    );
  });

  it("says on its page what is reached, what is missed, and every run", () => {
    const page = toMarkdown(
      recoveryDocument(
        results(...[1, 2, 3].flatMap((seed) => [run(masked, seed, 0.39), run(attention, seed, 0.45)])),
      ),
    );
    expect(page).toContain("| 0.3900 ± 0.0000 | ≤ 0.4030 | reached | 10.0 % | 12.0 % | 13.0 % |");
    expect(page).toContain("| 0.4500 ± 0.0000 | ≤ 0.4000 | missed |");
    expect(page.match(/0\.7000, 0\.6900/g)).toHaveLength(6);
  });

  it("has ids and seeds of its own for every case, and chooses on none of the table's", () => {
    const ids = [...cases, ...choices].map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const shown = new Set(cases.flatMap(({ seeds }) => seeds));
    expect(choices.flatMap(({ seeds }) => seeds).some((seed) => shown.has(seed))).toBe(false);
    for (const { tuning } of cases) expect(tuning.fit.epochs).toBeLessThanOrEqual(5);
  });

  it("reads its file back, and refuses others in one line", () => {
    const made = results(run(masked, 1, 0.4));
    expect(parseRecovery(JSON.stringify(made), "r.json")).toEqual(made);
    expect(() => parseRecovery("{", "r.json")).toThrow("r.json: this is not JSON");
    expect(() => parseRecovery('{"format":2}', "r.json")).toThrow("study format 2 is newer");
    expect(() => parseRecovery('{"format":1}', "r.json")).toThrow(/^r\.json: damaged at /);
  });
});

const folder = fileURLToPath(new URL("../../results/etth1-pruning/", import.meta.url));

describe("the committed results", () => {
  const read = (name: string) => readFileSync(`${folder}${name}`, "utf8");
  const committed = () => parseRecovery(read("recovery.json"), "recovery.json");

  it("are of the cases as they are, each with all its seeds", () => {
    const { runs } = committed();
    const known = new Map(runs.map((one) => [`${one.case} ${one.seed}`, one.settings]));
    expect(known.size).toBe(runs.length);
    for (const one of [...cases, ...choices]) {
      for (const seed of one.seeds) expect(known.get(`${one.id} ${seed}`), one.id).toBe(settingsText(one));
    }
  });

  it("are what the page beside them shows", () => {
    expect(read("recovery.md")).toBe(toMarkdown(recoveryDocument(committed())));
  });

  it("were chosen by the validation error: no other rate has less, as a mean of both models", () => {
    const { runs } = committed();
    const best = (id: string) => {
      const one = runs.find((candidate) => candidate.case === id)!;
      return one.validation[one.best - 1]!;
    };
    const mean = (rate: number) =>
      (best(`iTransformer-choice: rate ${rate}`) + best(`PatchTST-choice: rate ${rate}`)) / 2;
    const rates = [0.001, 0.002, 0.004].map(mean);
    expect(Math.min(...rates)).toBe(mean(cases[0]!.tuning.fit.learningRate!));
  });
});
