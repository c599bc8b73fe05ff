import { backendChecks } from "@espalier/core/testing";
import { expect, it } from "vitest";
import { webgpu } from "../src/index.ts";
import { describeOnAdapter } from "./adapter.ts";
import { lacks } from "./lacks.ts";

describeOnAdapter("webgpu, numbers in registers", () => {
  const backend = webgpu({ tiling: "registers" });

  it.each(backendChecks(backend, { lacks }).map((check) => [check.name, check] as const))(
    "%s",
    async (_name, check) => {
      await check.run();
    },
  );

  it("says what it runs on, and when that is a program", async () => {
    const { device, software, detail } = await backend.availability();
    expect(device).toEqual(expect.any(String));
    expect(detail).toContain(device);
    expect(detail.includes("software: correctness only")).toBe(software);
  });
});

/** What is written differently where workgroup memory is used. */
const divided = /^(MatMul|ReduceSum|Softmax|LayerNorm|BatchNormalizationT|BatchNormalizationG|runs|trains)/;

describeOnAdapter("webgpu, numbers in workgroup memory", () => {
  const checks = backendChecks(webgpu({ tiling: "workgroup" }), { lacks }).filter(({ name }) =>
    divided.test(name),
  );

  it.each(checks.map((check) => [check.name, check] as const))("%s", async (_name, check) => {
    await check.run();
  });
});
