import { survey } from "@espalier/core/compile";
import { equalNodes } from "@espalier/core/testing";
import { expect, it } from "vitest";
import { GraphLowering } from "../src/compile/graph-lowering.ts";

it("rules of core decide which kernels there are: equal nodes are one", () => {
  const { kernels } = new GraphLowering(survey(equalNodes()), 1, {
    limits: { storageBuffers: 8, workgroupsPerAxis: 65535 },
    tiling: "registers",
    half: false,
    tensor(name) {
      throw new Error(name);
    },
    zeroBlocks: () => 0,
  }).run();
  expect(kernels.filter(({ label }) => label.includes("Softmax"))).toHaveLength(1);
});
