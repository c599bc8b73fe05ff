import { spawnSync } from "node:child_process";
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const here = dirname(dirname(fileURLToPath(import.meta.url)));
const root = dirname(dirname(here));
const folder = join(here, "snippets");

/** The `ts` blocks of every README of the workspace, one file each. */
const snippets = globSync("{README.md,datasets/README.md,{packages,examples}/**/README.md}", {
  cwd: root,
  exclude: (path) => path.includes("node_modules"),
})
  .sort()
  .flatMap((readme) => {
    const text = readFileSync(join(root, readme), "utf8");
    return [...text.matchAll(/^```ts\n(.*?)^```/gms)].map(([, code], i) => ({
      name: `${readme}, block ${i + 1}`,
      file: `${readme.replaceAll(/[\\/.]/g, "-")}-${i + 1}.ts`,
      code: code!,
    }));
  });

beforeAll(() => {
  mkdirSync(folder, { recursive: true });
  for (const { file, code } of snippets) writeFileSync(join(folder, file), code);
  const config = {
    extends: "../../../tsconfig.json",
    compilerOptions: { types: ["node"], noUnusedLocals: false },
    include: ["*.ts"],
    exclude: [],
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the code in READMEs", () => {
  it("is there", () => {
    expect(snippets.length).toBeGreaterThan(9);
  });

  it("has sound types", () => {
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    const { status, stdout } = spawnSync(process.execPath, [tsc, "-p", folder], { encoding: "utf8" });
    expect(stdout).toBe("");
    expect(status).toBe(0);
  });

  it.each(snippets)("runs: $name", ({ file }) => {
    const { status, stderr } = spawnSync(
      process.execPath,
      ["--conditions=@espalier/source", join(folder, file)],
      { cwd: folder, encoding: "utf8" },
    );
    expect(stderr).toBe("");
    expect(status).toBe(0);
  });
});
