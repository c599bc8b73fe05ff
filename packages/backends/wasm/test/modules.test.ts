import { expect, it } from "vitest";
import { compileKernels, simdLevels } from "../build/compile.ts";
import { plainModule } from "../src/modules/plain-module.ts";
import { relaxedModule } from "../src/modules/relaxed-module.ts";

const modules = { relaxed: relaxedModule, plain: plainModule };

it.each(simdLevels)("the %s module is what its sources compile to", async (level) => {
  const bytes = Buffer.from(modules[level], "base64");
  expect(
    Buffer.from(await compileKernels(level)).equals(bytes),
    "run: pnpm --filter @espalier/backend-wasm compile",
  ).toBe(true);
});

it.each(simdLevels)("the %s module is at most 100 KB", (level) => {
  expect(Buffer.from(modules[level], "base64").length).toBeLessThan(100_000);
});
