import { type Tensors, zeros } from "@espalier/core";
import type { Graph } from "@espalier/core/graph";
import { drawCase, drawEncoder, modelOf, operatorCases } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { create } from "webgpu";
import { Device } from "../src/device/device.ts";
import { webgpu } from "../src/index.ts";
import { WebGpuProgram } from "../src/program.ts";
import { WebGpuState } from "../src/state.ts";
import { lacks } from "./lacks.ts";

/**
 * Dawn's null device checks everything and computes nothing. It has 16-bit numbers, which software adapters have not: that
 * all kernels with them are valid is all that can be said without a GPU.
 */
const nothing = { api: create(["backend=null"]), name: "null", software: true, runtime: "Dawn", globals: {} };

async function compile(graph: Graph, tensors: Tensors, tiling: "registers" | "workgroup"): Promise<string> {
  const device = await Device.request(nothing, true, {});
  const state = await WebGpuState.create(device, tensors);
  const program = new WebGpuProgram(graph, state, { tiling, half: true });
  for (const batchSize of [1, 64]) await program.prepare(batchSize);
  return program
    .lower(64)
    .kernels.map(({ code }) => code)
    .join("\n");
}

describe.each(["registers", "workgroup"] as const)("with 16-bit numbers, %s", (tiling) => {
  it("the kernels of a model are valid, and store 16 bits", async () => {
    const { graph, tensors } = modelOf(drawEncoder({ tokens: 12, width: 32, heads: 4, feedForward: 64 }));
    expect(await compile(graph, tensors, tiling)).toMatch(/read_write> b\d+: array<vec4<f16>>/);
  });

  it("the kernels of every operator are valid", async () => {
    const known = operatorCases.filter(({ operator }) => !lacks.includes(operator));
    for (const one of known) await compile(drawCase(one).graph, new Map(), tiling);
  });
});

it("they are refused where the device has none", async () => {
  const backend = webgpu({ float16: true });
  const { available, detail, software } = await backend.availability();
  if (available) return;
  expect(detail, String(software)).toMatch(/shader-f16|not installed|no Vulkan/);
  await expect(backend.createState(new Map([["a", zeros([1])]]))).rejects.toThrow(
    /shader-f16|not installed|no Vulkan/,
  );
});
