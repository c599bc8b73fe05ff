import type { PruneRecord, RecipeCell, ResultRecord } from "@espalier/bench";
import { toMarkdown } from "@espalier/report";
import { expect, it } from "vitest";
import { denseCell, pruneCell, pruneRecord, trainRecord } from "../../packages/report/test/records.ts";
import type { PeerResults } from "../peers/index.ts";
import { speedDocument } from "../speed/document.ts";
import { findingsOf, forecastsAsWell } from "../speed/outcomes.ts";

const fit = { epochs: 2, learningRate: 0.001 };
const masks = { strategy: { use: "unstructured" }, target: { sparsity: 0.9 } };

/** A pruned model of a seed, by a recipe that masks, or one that only trains on. */
function made(label: string, seed: number, validation: number, test: number, nonzero?: number): PruneRecord {
  const { result, ...record } = pruneRecord(
    pruneCell(denseCell("synthetic", seed), "unstructured", { sparsity: 0.9 }),
  );
  const cell: RecipeCell = {
    kind: "prune",
    dense: denseCell("synthetic", seed),
    target: { sparsity: nonzero === undefined ? 0 : 0.9 },
    recipe: {
      label,
      steps: [{ do: "tune", fit, ...(nonzero !== undefined && { masks }) }],
    } as RecipeCell["recipe"],
  };
  const { counts } = result.dense;
  return {
    ...record,
    id: `${label}-${seed}`,
    cell,
    result: {
      ...result,
      tuned: { ...result.tuned, mse: test },
      validation: { mse: validation, mae: validation },
      counts: { ...counts, flops: { ...counts.flops, effective: nonzero ?? counts.flops.effective } },
    },
  };
}

const seeds = [0, 1, 2];
const dense = seeds.map((seed) => trainRecord(denseCell("synthetic", seed)));
const records: ResultRecord[] = [
  ...dense,
  ...seeds.flatMap((seed) => [
    made("on, slowly", seed, 0.2, 0.5),
    made("on", seed, 0.1, 0.6),
    // As good on validation data, by the mean only; its test error would have been no reason.
    made("small", seed, 0.09 + 0.01 * seed, 0.7, 200),
    made("smaller", seed, 0.101, 0.1, 100),
    made("large", seed, 0.05, 0.6, 900),
  ]),
];

it("compares on validation data with the best of the models that were trained on", () => {
  const findings = findingsOf(records)!;
  expect(findings.reference.recipe).toBe("on");
  expect(findings.pruned.map(({ recipe }) => recipe)).toEqual(["smaller", "small", "large"]);
  const equal = findings.pruned.filter((outcome) => forecastsAsWell(outcome, findings));
  expect(equal.map(({ recipe }) => recipe)).toEqual(["small", "large"]);
});

it("compares a recipe that has fewer seeds with the reference of those seeds", () => {
  const few = [...records, made("good for its seed", 2, 0.099, 0.5, 150)];
  // Without seed 2 the reference is far better.
  const better = few.map((record) =>
    /^on-[01]$/.test(record.id) ? made("on", Number(record.id[3]), 0.01, 0.6) : record,
  );
  const findings = findingsOf(better)!;
  const equal = findings.pruned.filter((outcome) => forecastsAsWell(outcome, findings));
  expect(equal.map(({ recipe }) => recipe)).toContain("good for its seed");
  expect(equal.map(({ recipe }) => recipe)).not.toContain("small");
});

it("finds nothing until the reference and a pruned model are there", () => {
  expect(findingsOf(dense)).toBeUndefined();
  expect(findingsOf([...dense, made("on", 0, 0.1, 0.1)])).toBeUndefined();
  expect(findingsOf([...dense, made("small", 0, 0.1, 0.1, 100)])).toBeUndefined();
});

it("sets the fastest model at a batch size beside dense ones and other runtimes", () => {
  const entry = (peer: string, variant: string, median: number) => ({
    peer,
    variant,
    alone: false,
    timing: { median, spread: 0, samples: 3 },
    rounds: [median] as [number],
  });
  const runOf = (batch: number, small: number, large: number): PeerResults["runs"][number] => ({
    model: "study",
    batch,
    task: "forecast",
    agreement: [],
    entries: [
      entry("wasm", "dense", 8),
      entry("wasm", "small", small),
      entry("wasm", "large", large),
      entry("onnxruntime-web", "dense", 12),
      entry("onnxruntime-node", "dense", 4),
      entry("onnxruntime-node", "small", 2),
      entry("onnxruntime-node", "large", 3),
    ],
  });
  const times: PeerResults = {
    format: 1,
    environment: { ...dense[0]!.environment },
    settings: { time: 1, samples: 1, rounds: 1 },
    peers: [],
    sizes: [],
    runs: [runOf(1, 1, 2), runOf(32, 2, 1)],
    failures: [],
  };
  const page = toMarkdown(speedDocument([{ name: "study", findings: findingsOf(records)!, times }]));
  const rows = page.split("\n").filter((line) => line.includes("8.00×"));
  expect(rows.map((row) => row.split("|").map((cell) => cell.trim()))).toEqual([
    ["", "iTransformer on synthetic", "1", "1 ms", "8.00×", "12.0×", "4.00×", "2.00×", ""],
    ["", "iTransformer on synthetic", "32", "1 ms", "8.00×", "12.0×", "4.00×", "3.00×", ""],
  ]);
});
