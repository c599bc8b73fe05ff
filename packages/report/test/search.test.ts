import type { Findings, Finished, Measured, TrialRecord } from "@espalier/search";
import { describe, expect, it } from "vitest";
import { drawFigures } from "../src/folder.ts";
import { searchDocument, searchTable, toHtml, toMarkdown } from "../src/index.ts";
import { traitsOf } from "../src/search/common.ts";

const measured = (mse: number, bytes: number): Measured => ({
  validation: { mse, mae: mse },
  bytes,
  flops: bytes / 2,
  digest: "0",
});

const recipe = (distill: number): TrialRecord["recipe"] => ({
  format: 2,
  steps: [
    { do: "prune", strategy: { use: "channel" }, target: { flops: 0.2 } },
    { do: "tune", fit: { epochs: 3 }, distill },
  ],
});

function trial(of: number, rung: number, mse: number, bytes: number, seed = 0): Finished {
  const epochs = [1, 3][rung]!;
  return {
    ...{ kind: "trial", of, rung, epochs, seed, recipe: recipe(0.5), seconds: 30 },
    result: measured(mse, bytes),
  };
}

/** Sixteen candidates; those with `kind` a are better and go on. */
const candidates = Array.from({ length: 16 }, (_, i) => ({
  kind: "candidate" as const,
  candidate: i,
  from: i === 0 ? "by hand" : "model",
  point: { size: 0.01 * (i + 1), kind: i % 4 === 0 ? "a" : "b" },
  oneShot: 0.6 + 0.01 * i,
  others: [],
  seconds: 2,
}));
const short = candidates.map(({ candidate: i }) =>
  trial(i, 0, 0.45 + 0.02 * (i % 4) + 0.001 * i, 0.01 * (i + 1)),
);
const full = [0, 4, 8, 12].map((i) => trial(i, 1, 0.42 - 0.004 * i, 0.01 * (i + 1)));
const repeats = [1, 2].map((seed) => trial(4, 1, 0.403 + 0.001 * seed, 0.05, seed));
const rivals: TrialRecord[] = [
  { ...trial(0, 1, 0.5, 0.05), of: "gradual-cubic at 0.05 bytes" },
  { ...trial(0, 1, 0, 0), of: "magnitude-90 at 0.05 bytes", result: undefined as never, error: "too small" },
];
const chosen = [full[1]!, ...repeats];
const result = {
  header: {
    ...{ format: 1, kind: "search", search: "0", goal: { minimize: "bytes", error: "+1%" } },
    settings: { seed: 0, backend: "wasm" },
    model: { name: "tiny", digest: "0", bytes: 1000, flops: 1000 },
    data: { name: "synthetic", checksum: "0" },
    dense: measured(0.41, 1),
  },
  candidates,
  trials: [...short, ...full, ...repeats, ...rivals],
  tests: [
    { kind: "test", model: "dense", mse: 0.39, mae: 0.4 },
    ...chosen.map(({ seed }) => ({
      ...{ kind: "test", model: `c4-rung1-seed${seed}`, mse: 0.38 + 0.01 * seed, mae: 0.4 },
    })),
  ],
  allowed: 0.4141,
  chosen: { candidate: 4, trials: chosen, mean: measured(0.405, 0.05), best: full[1], recipe: recipe(0.5) },
  replaced: [0],
  rivals,
  front: full,
} as unknown as Findings;

describe("the page of a search", () => {
  const document = searchDocument(result, "A search");

  it("compares the chosen recipe with the dense model and with fixed recipes of its size", () => {
    expect(searchTable(result).rows).toEqual([
      ["dense, as given", "0.4100", "0.3900", "1 kB", "100 %", "50.00 %"],
      ["chosen", "0.4050", "0.3900 ± 0.0100", "50 B", "5.00 %", "2.50 %"],
      ["gradual-cubic", "0.5000", "", "50 B", "5.00 %", "2.50 %"],
    ]);
    expect(searchTable(result).caption).toMatch(/Cannot have the size of the chosen one: magnitude-90\.$/);
  });

  it("shows everything that was tried, and the recipe where a pointer rests", async () => {
    const { svgs } = await drawFigures(document);
    expect([...svgs.keys()]).toEqual(["error-bytes", "error-flops"]);
    const html = toHtml(document, svgs);
    // Those with far more error than the limit are counted, not drawn.
    expect(html.match(/<title>candidate \d+: MSE/g)!.length).toBe(2 * 7);
    expect(html).toContain("10 with more error are above the edge.");
    expect(html).toMatch(
      /<title>candidate 4: MSE 0\.4040, 5\.00 %&#xA;prune by channel to flops ≤ 20 %&#xA;tune for 3 epochs, the unpruned/,
    );
    expect(html).not.toContain('aria-roledescription="symbol mark"');
    expect(toMarkdown(document)).toContain("charts/error-bytes.png");
  });

  it("says what was replaced, what the best share, and how well one-shot errors predicted", () => {
    const text = toMarkdown(document);
    expect(text).toContain("missed the goal on the mean of their seeds: candidates 0.");
    expect(text).toMatch(/\| kind \| a \| 3 of 3 \| 4 of 16 \|/);
    expect(text).toMatch(
      /The rank correlation between the one-shot error and .* is −?-?[\d.]+ over 16 candidates/,
    );
  });

  it("says what stops a search that found nothing", () => {
    const { chosen: _, rivals: __, ...rest } = result;
    const text = toMarkdown(searchDocument({ ...rest, unmet: { why: "error ≤ 0.1 was met by none" } }));
    expect(text).toContain("error ≤ 0.1 was met by none.");
  });
});

describe("what the best have in common", () => {
  it("needs a dozen candidates, and a clear difference", () => {
    expect(traitsOf(result, full)).toEqual([
      { parameter: "kind", value: "a", best: "4 of 4", all: "4 of 16" },
    ]);
    expect(traitsOf({ candidates: candidates.slice(0, 11) }, full.slice(0, 2))).toEqual([]);
  });
});
