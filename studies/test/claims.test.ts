import { readFile } from "node:fs/promises";
import { isLatency, type ResultRecord, readSweepConfig } from "@espalier/bench";
import { describe, expect, it } from "vitest";
import {
  denseCell,
  latencyRecord,
  pruneCell,
  pruneRecord,
  trainRecord,
} from "../../packages/report/test/records.ts";
import { claimsMarkdown, committedStudies } from "../claims/index.ts";

describe("the page of published claims", () => {
  it("is what the committed results say", async () => {
    const text = claimsMarkdown(await committedStudies());
    // Not so? pnpm bench:claims writes it anew.
    expect(text).toBe(await readFile(new URL("../../results/CLAIMS.md", import.meta.url), "utf8"));
  });
});

/** A model pruned at two sparsities, with these errors (dense = 1) before and after fine-tuning, and a speed-up. */
function study(errors: Record<string, readonly [number, number]>, speedup: number): ResultRecord[] {
  const dense = { ...denseCell(), model: { use: "Transformer" } };
  const trained = trainRecord(dense);
  const { mse } = trained.result.test;
  const runs = ["unstructured", "structured"].flatMap((use) =>
    Object.entries(errors).flatMap(([sparsity, [before, after]]) =>
      [0, 1].map((epochs) => {
        const cell = pruneCell(dense, use, { sparsity: Number(sparsity) }, { epochs });
        const { result, ...rest } = pruneRecord(cell);
        const scaled = (factor: number) => ({ ...result.tuned, mse: mse * factor });
        const tuned = scaled(epochs === 0 ? before : after);
        return { ...rest, result: { ...result, pruned: scaled(before), tuned } };
      }),
    ),
  );
  const timings = runs
    .filter(({ cell }) => cell.fineTuning.epochs === 0)
    .map(({ cell, result }) => latencyRecord(cell, "wasm", 3, speedup, result.sparsity));
  return [trained, ...runs, ...timings];
}

/** The page with these results of the second study, and none of the first. */
function page(kiefer: readonly ResultRecord[]): string {
  const config = readSweepConfig({
    models: [{ use: "Transformer" }],
    datasets: ["synthetic"],
    strategies: [{ use: "unstructured" }],
    targets: [{ sparsity: 0.5 }],
  });
  const studyOf = (records: readonly ResultRecord[]) => ({ file: "study.yaml", config, records });
  return claimsMarkdown({ sedimark: studyOf([]), kiefer: studyOf(kiefer) });
}

/** The rows of the table in short, of the second study. */
function inShort(kiefer: readonly ResultRecord[]): string[] {
  const [, text] = page(kiefer).split("\n## Kiefer");
  return text!
    .split("\n")
    .filter((line) => line.startsWith("| ") && !line.startsWith("| ---") && !line.startsWith("| published"))
    .slice(0, 5)
    .map((line) => line.split(" | ").at(-1)!.replace(" |", ""));
}

describe("verdicts", () => {
  it("hold where the figures say so", () => {
    const [half, , tuning, time] = inShort(study({ 0.488: [1.3, 1.005], 0.866: [2, 1.2] }, 1));
    expect([half, tuning, time]).toEqual(["holds", "holds", "holds"]);
  });

  it("do not where they contradict it", () => {
    const [half, , tuning, time] = inShort(study({ 0.488: [1.01, 1.3], 0.866: [1.02, 1.3] }, 3));
    expect([half, tuning, time]).toEqual(["does not hold", "does not hold", "does not hold"]);
  });

  it("are not given where nothing was measured, or timings tell nothing", () => {
    const quiet = study({ 0.488: [1.3, 1.005], 0.866: [2, 1.2] }, 3);
    const noisy = quiet.map((record) =>
      isLatency(record) ? { ...record, result: { ...record.result, speedupSpread: 2 } } : record,
    );
    const [, fourier, , time] = inShort(noisy);
    expect([fourier, time]).toEqual(["not measured", "not measured"]);
    expect(page(noisy)).toContain("0 of 0 timings (and 1 too noisy");
  });

  it("hold in part where models differ", () => {
    const [, , tuning] = inShort(study({ 0.488: [1.01, 1], 0.866: [2, 1.2] }, 1));
    expect(tuning).toBe("holds in part");
  });
});
