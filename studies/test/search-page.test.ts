import { toMarkdown } from "@espalier/report";
import { findingsOf, type Measured, type SearchRecord, type TrialRecord } from "@espalier/search";
import { describe, expect, it } from "vitest";
import { published } from "../search/asked.ts";
import { searchesDocument } from "../search/document.ts";

const measured = (mse: number, bytes: number): Measured => ({
  validation: { mse, mae: mse },
  ...{ bytes, flops: bytes / 2, digest: "0" },
});

const trial = (of: TrialRecord["of"], seed: number, mse: number, bytes: number): TrialRecord => ({
  ...{ kind: "trial", of, rung: 0, epochs: 1, seed, seconds: 1 },
  recipe: { format: 2, steps: [{ do: "tune", fit: { epochs: 1 } }] },
  result: measured(mse, bytes),
});

/** One candidate with three seeds, a fixed recipe at its size, and test errors. */
function records(test: number): SearchRecord[] {
  const chosen = [0, 1, 2].map((seed) => trial(0, seed, 0.7, 0.005));
  const point = { size: 0.005, attention: 0, feedForward: 0, channels: "then masks", learningRate: 0.008 };
  return [
    {
      ...{ format: 1, kind: "search", search: "0", goal: { minimize: "bytes", error: "+0%" } },
      settings: {
        ...{ epochs: 1, reduction: 3, proposals: 1, windows: 1, repeats: 3, seed: 0, backend: "wasm" },
      },
      model: { name: "iTransformer", digest: "0", bytes: 900_000, flops: 1 },
      data: { name: "ETTh1", checksum: "0" },
      dense: measured(0.71, 1),
      environment: { processor: "EPYC" },
    },
    { kind: "candidate", candidate: 0, from: "by hand", point, oneShot: 0.8, others: [], seconds: 1 },
    ...chosen,
    trial("half at 0.005 bytes", 0, 0.9, 0.005),
    { kind: "test", model: "dense", mse: 0.4, mae: 0.4 },
    ...[0, 1, 2].map((seed) => ({
      ...({ kind: "test", model: `c0-rung0-seed${seed}` } as const),
      mse: test + 0.01 * (seed - 1),
      mae: 0.4,
    })),
    { kind: "test", model: "half-at-0-005-bytes-rung0-seed0", mse: 0.6, mae: 0.4 },
  ];
}

const page = (test: number) =>
  toMarkdown(searchesDocument([{ search: published[0]!, findings: findingsOf(records(test)) }], []));

describe("the page of published searches", () => {
  it("sets what was reached on the mean of the seeds beside what was asked", () => {
    expect(page(0.38)).toMatch(
      /\| 0\.3991 \| 0\.3800 ± 0\.0100 \| 0\.79 % .* \| 0\.50 % of the bytes \| kept \|/,
    );
    expect(page(0.4)).toMatch(/\| 0\.4000 ± 0\.0100 \| .* \| missed \|/);
  });

  it("compares with fixed recipes of the same size, and counts what the best decided", () => {
    const text = page(0.38);
    expect(text).toMatch(/\| search \| chosen \| half \|/);
    expect(text).toMatch(/\| 0\.3800 ± 0\.0100 \| 0\.6000 \|/);
    expect(text).toContain(`espalier search itransformer.safetensors ${published[0]!.options}`);
  });
});
