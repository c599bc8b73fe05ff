import { describe, expect, it } from "vitest";
import {
  cellId,
  cellsOf,
  labelOf,
  parseSweepConfig,
  presets,
  readCell,
  readSweepConfig,
  type StrategyCell,
  type SweepInput,
  sweepJsonSchema,
} from "../../src/index.ts";

const smallest: SweepInput = {
  models: [{ use: "iTransformer" }],
  datasets: ["synthetic"],
  strategies: [{ use: "head" }],
  targets: [{ sparsity: 0.5 }],
};

describe("a sweep's configuration", () => {
  it("is YAML or JSON, with defaults for what it leaves out", () => {
    const yaml =
      "models: [{ use: iTransformer }]\ndatasets: [synthetic]\nstrategies: [{ use: head }]\ntargets:\n  - sparsity: 0.5\n";
    const config = parseSweepConfig(yaml, "sweep.yaml");
    expect(config).toEqual(readSweepConfig(smallest));
    expect(config).toEqual(parseSweepConfig(JSON.stringify(smallest), "sweep.json"));
    expect(config).toMatchObject({ inputLength: 96, seeds: [0], backends: ["wasm"] });
  });

  it.each([
    [{ targets: [{ sparsity: 1 }] }, /targets\.0/],
    [{ targets: [{ sparsity: -0.1 }] }, /targets\.0/],
    [{ targets: [{}] }, /targets\.0: names nothing/],
    [{ targets: [] }, /strategies need targets/],
    [{ strategies: [] }, /give strategies or recipes/],
    [
      { recipes: [{ label: "r", steps: [{ do: "prun" }] }] },
      /recipes\.0\.steps\.0\.do: "prun" is not one of these/,
    ],
    [{ recipes: ["r.yaml"] }, /recipes\.0: "r.yaml" is a file/],
    [{ strategies: [{ name: "head" }] }, /strategies\.0\.use/],
    [{ training: { epochs: 1.5 } }, /training\.epochs/],
    [
      { fineTuning: [{ epochs: 1 }, { epoch: 1 }] },
      /fineTuning\.1\.epoch: is not known\. Did you mean "epochs"/,
    ],
    [{ batchSizes: [0] }, /batchSizes\.0/],
    [{ store: ["float32"] }, /store\.0: "float32" is not one of these/],
    [{ sparsities: [0.5] }, /sparsities/],
  ])("names the place of a mistake: %j", (changes, place) => {
    const wrong = () => parseSweepConfig(JSON.stringify({ ...smallest, ...changes }), "sweep my.json");
    expect(wrong).toThrow(/^sweep my\.json, line 1[,:]/);
    expect(wrong).toThrow(place);
  });

  it("that is no YAML is refused in one line", () => {
    const wrong = () => parseSweepConfig("models: [", "sweep my.yaml");
    expect(wrong).toThrow(/^sweep my\.yaml, line 1: not valid YAML or JSON: [^\n]+\.$/);
    expect(() => parseSweepConfig("", "sweep my.yaml")).toThrow(
      /^sweep my\.yaml, line 1: expected keys and values/,
    );
  });

  it("does not unfold a bomb of aliases", () => {
    const lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"];
    for (let i = 1; i < 9; i++)
      lines.push(`a${i}: &a${i} [${Array.from({ length: 10 }, () => `*a${i - 1}`).join(", ")}]`);
    expect(() => parseSweepConfig(lines.join("\n"), "sweep bomb.yaml")).toThrow(
      /^sweep bomb\.yaml, line 2: aliases/,
    );
  });

  it("has presets that are valid, and a JSON schema", () => {
    for (const preset of Object.values(presets))
      expect(cellsOf(readSweepConfig(preset)).length).toBeGreaterThan(0);
    expect(sweepJsonSchema()).toMatchObject({ type: "object" });
  });

  it("of the quick preset has all four strategies, four targets and three backends", () => {
    const { strategies, targets, backends } = readSweepConfig(presets.quick);
    expect(strategies.map(labelOf).sort()).toEqual(["channel", "combined", "head", "unstructured"]);
    expect(targets.length).toBeGreaterThanOrEqual(4);
    expect(backends).toEqual(["wasm", "tfjs-wasm", "tfjs-cpu"]);
  });
});

describe("the cells of a sweep", () => {
  const config = readSweepConfig({
    ...smallest,
    seeds: [0, 1],
    targets: [{ sparsity: 0.5 }, { flops: 0.5 }],
    fineTuning: [{ epochs: 1 }, { epochs: 2 }],
    trainingBackend: "tfjs-wasm",
    backends: ["tfjs-wasm", "tfjs-cpu"],
    batchSizes: [1, 32],
  });
  const cells = cellsOf(config);
  const sums = new Map([["synthetic", "0".repeat(64)]]);

  it("are every combination, each after what it needs; fine-tuning is timed once", () => {
    const count = (kind: string) => cells.filter((cell) => cell.kind === kind).length;
    expect([count("train"), count("prune"), count("latency")]).toEqual([2, 8, 16]);
    cells.forEach((cell, i) => {
      if (cell.kind === "prune") expect(cells.indexOf(cell.dense)).toBeLessThan(i);
      if (cell.kind === "latency") expect(cells.indexOf(cell.pruned)).toBeLessThan(i);
    });
    expect(new Set(cells.map((cell) => cellId(cell, sums))).size).toBe(cells.length);
  });

  it("have names that order of keys and labels do not change", () => {
    const cell = cells.find((c): c is StrategyCell => c.kind === "prune")!;
    const { kind, dense, strategy, target, fineTuning } = cell;
    const turned: StrategyCell = {
      fineTuning,
      target,
      strategy: { label: "heads", ...strategy },
      dense: { ...dense, model: { label: "mine", ...dense.model } },
      kind,
    };
    expect(cellId(turned, sums)).toBe(cellId(cell, sums));
    expect(cellId({ ...cell, strategy: { ...strategy, keep: 2 } }, sums)).not.toBe(cellId(cell, sums));
  });

  it("have names that follow what the data hold, not where they lie", () => {
    const [cell] = cells;
    const moved = cellsOf({ ...config, datasets: ["/elsewhere/copy.csv"] })[0]!;
    const same = new Map([["/elsewhere/copy.csv", "0".repeat(64)]]);
    expect(cellId(moved, same)).toBe(cellId(cell!, sums));
    expect(cellId(cell!, new Map([["synthetic", "1".repeat(64)]]))).not.toBe(cellId(cell!, sums));
  });

  it("have other names with rounded weights", () => {
    const [cell] = cellsOf({ ...config, store: ["int8"] });
    expect(cellId(cell!, sums)).not.toBe(cellId(cells[0]!, sums));
    expect(readCell(cell, "cell")).toBe(cell);
  });

  it("keep their names from version to version", () => {
    expect(cellId(cells[0]!, sums)).toMatchInlineSnapshot(`"b90b7e4338b9b73ccbc370f8"`);
  });
});
