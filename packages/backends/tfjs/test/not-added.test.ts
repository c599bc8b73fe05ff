import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const source = fileURLToPath(new URL("../src/index.ts", import.meta.url));

/** Availabilities in a process that finds no package of TensorFlow.js. */
function availabilities(): { available: boolean; detail: string; command?: string }[] {
  const program = `
    import { registerHooks } from "node:module";
    registerHooks({
      resolve(specifier, context, next) {
        if (!specifier.startsWith("@tensorflow/")) return next(specifier, context);
        throw Object.assign(new Error("Cannot find package '" + specifier + "'"), { code: "ERR_MODULE_NOT_FOUND" });
      },
    });
    const { tfjs } = await import(${JSON.stringify(source)});
    const kinds = ["cpu", "wasm", "webgpu", "tensorflow"];
    console.log(JSON.stringify(await Promise.all(kinds.map((kind) => tfjs({ kind }).availability()))));`;
  const args = ["--conditions=@espalier/source", "--input-type=module", "-e", program];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  expect(stderr).toBe("");
  return JSON.parse(stdout);
}

it("each kind says the command that adds TensorFlow.js where it is not installed", () => {
  for (const { available, detail, command } of availabilities()) {
    expect(available).toBe(false);
    expect(command).toMatch(/^npm install @tensorflow\/tfjs@4\.22\.0 @tensorflow\/tfjs-backend-w/);
    expect(detail).toBe(`TensorFlow.js is not installed: ${command}`);
  }
});
