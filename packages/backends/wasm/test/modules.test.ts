import { readFile } from "node:fs/promises";
import { inflateRawSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { compileKernels, kernelFile, modules } from "../build/compile.ts";
import { forwardPlainModule } from "../src/modules/forward-plain-module.ts";
import { forwardRelaxedModule } from "../src/modules/forward-relaxed-module.ts";
import { plainModule } from "../src/modules/plain-module.ts";
import { relaxedModule } from "../src/modules/relaxed-module.ts";

const texts = {
  relaxed: { all: relaxedModule, forward: forwardRelaxedModule },
  plain: { all: plainModule, forward: forwardPlainModule },
};

describe.each(modules)("the module with $level SIMD, $scope", ({ level, scope }) => {
  const deflated = Buffer.from(texts[level][scope], "base64");

  it("is what its sources compile to", async () => {
    const compiled = Buffer.from(await compileKernels(level, { scope }));
    const advice = "run: pnpm --filter @espalier/backend-wasm compile";
    expect(inflateRawSync(deflated).equals(compiled), advice).toBe(true);
    if (scope === "forward") expect((await readFile(kernelFile(level))).equals(compiled), advice).toBe(true);
  });

  it("is small to load", () => {
    expect(deflated.length).toBeLessThan(scope === "all" ? 16_000 : 12_500);
  });
});
