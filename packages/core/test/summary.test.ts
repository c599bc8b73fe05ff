import { prune, summary } from "@espalier/core";
import { maskFrom } from "@espalier/core/graph";
import { writePlan } from "@espalier/core/pruning";
import { drawEncoder, modelOf } from "@espalier/core/testing";
import { expect, it } from "vitest";

it("a summary names what is left of parameters, FLOPs and bytes", () => {
  const model = modelOf(drawEncoder({ width: 16, heads: 2, feedForward: 128 }));
  const parameter = "layers.0.feedForward1.weight";
  const keep = maskFrom(model.tensors.get(parameter)!.shape, (i) => i % 4 === 0);
  const remove = { do: "remove", extent: 128, indices: [1, 2, 3], because: "test" } as const;
  const steps = [
    { do: "mask", parameter, keep, because: "test" } as const,
    { ...remove, dimension: "layers.1.feedForward1.weight[0]" },
  ];
  const lines = summary(model, prune(model, writePlan(model, "test", steps))).split("\n");
  expect(lines.map((line) => line.split("  ")[0])).toEqual([
    "",
    "parameters",
    "not zero",
    "FLOPs, zeros skipped",
    "bytes as stored",
    "sparsity",
  ]);
  // 3 of 128 channels of 2·16 weights and a bias; 1536 of 2048 weights masked.
  expect(lines[1]!.split(/ {2,}/).slice(1)).toEqual(["10,882", "10,783", "99 %"]);
  expect(lines[2]!.split(/ {2,}/).slice(1)).toEqual(["10,882", "9,247", "85 %"]);
  expect(lines[5]!.split(/ {2,}/).slice(1)).toEqual(["0 %", "15 %"]);
});
