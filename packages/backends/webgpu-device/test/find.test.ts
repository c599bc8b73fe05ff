import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const source = fileURLToPath(new URL("../src/index.ts", import.meta.url));

/** What a program that looks for a GPU writes: the search is made once a process, and Dawn writes past Node. */
function search(env: NodeJS.ProcessEnv) {
  const program = `
    const { findGpu } = await import(${JSON.stringify(source)});
    const { name, missing } = await findGpu();
    console.log(name ?? missing);`;
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ["--conditions=@espalier/source", "--input-type=module", "-e", program],
    { env: { ...process.env, ...env }, encoding: "utf8" },
  );
  return { line: stdout.trim(), stderr };
}

it("finds an adapter or says in one line what is missing, and nothing else reaches the terminal", () => {
  const { line, stderr } = search({});
  expect(stderr).toBe("");
  expect(line).toMatch(/^[^\n]+$/);
});

it.skipIf(process.platform !== "linux")("says that VK_DRIVER_FILES names no file", () => {
  expect(search({ VK_DRIVER_FILES: "/nowhere/driver.json" })).toEqual({
    line: 'Dawn finds no Vulkan driver: VK_DRIVER_FILES is "/nowhere/driver.json", but no such file exists.',
    stderr: "",
  });
});
