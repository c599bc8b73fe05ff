import { toMarkdown } from "@espalier/report";
import { describe, expect, it } from "vitest";
import { areaOf, type ContestRun, contestBlocks } from "../search/hypervolume.ts";
import { ownSizes, ownSizesBlocks } from "../search/own-sizes.ts";

const run = (way: string, made: ContestRun["made"], seed = 0): ContestRun => ({
  ...{ model: "iTransformer", dataset: "ETTh1", way, seed, seconds: 40, cpu: "EPYC", made },
  dense: { bytes: 1000, validation: 1, test: 2 },
});

describe("the comparison of the search with chance", () => {
  it("counts the area of the front on validation data, and the test errors of the same models", () => {
    const made = [
      { bytes: 0.1, validation: 1, test: 1.8 },
      // Beaten by the first on validation data, whatever its test error is.
      { bytes: 0.2, validation: 1.05, test: 1 },
      { bytes: 0.01, validation: 1.2, test: 1 },
    ];
    expect(areaOf(run("search", made), "validation")).toBeCloseTo(0.1, 10);
    // One decade × (1.1 − 0.9), and one more × (1.1 − 0.5) for the smallest.
    expect(areaOf(run("search", made), "test")).toBeCloseTo(2 * 0.6, 10);
  });

  it("sets means against random search, subject by subject", () => {
    const blocks = contestBlocks([
      run("search", [{ bytes: 0.1, validation: 1, test: 2 }]),
      run("search", [{ bytes: 0.01, validation: 1, test: 2 }], 1),
      run("random search", [{ bytes: 0.1, validation: 1, test: 2 }]),
    ]);
    const text = toMarkdown({ title: "", lead: "", blocks });
    expect(text).toContain("| iTransformer on ETTh1, 40 s | search | 2 | 1 | 0.150 ± 0.071 | 1.50 × |");
    expect(text).toContain("| random search | 1 | 1 | 0.100 | 1.00 × |");
  });
});

describe("the gallery at its own sizes", () => {
  it("counts in how many runs the search has a model that is no larger, with less error", () => {
    const gallery = run(ownSizes, [
      { label: "half", bytes: 0.5, validation: 0.9, test: 1.8 },
      { label: "tiny", bytes: 0.01, validation: 1.4, test: 2.8 },
    ]);
    const searches = [
      run("search", [
        { bytes: 0.4, validation: 0.8, test: 1.6 },
        { bytes: 0.02, validation: 1, test: 2 },
      ]),
      run("search", [{ bytes: 0.5, validation: 1, test: 2 }], 1),
    ];
    const text = toMarkdown({ title: "", lead: "", blocks: ownSizesBlocks([gallery, ...searches]) });
    expect(text).toContain("| half | 50 % | 0.9000 | 45 % | 0.9000 | 0.9000 | 0.9000 | 1 of 2 |");
    expect(text).toContain("| tiny | 1 % | 1.400 | – | – | 1.400 | – | 0 of 2 |");
  });
});
