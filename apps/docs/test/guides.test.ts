import { spawn } from "node:child_process";
import { existsSync, globSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { parseSweepConfig } from "@espalier/bench";
import { readRecipe } from "@espalier/recipe";
import { createRegistry } from "@espalier/recipe/standard";
import { readSearchFile } from "@espalier/search";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { binaries, lacking, startPostgres } from "../../../packages/fleet/test/postgres.ts";
import { type Block, blocksOf } from "./blocks.ts";
import { expectShown } from "./shown.ts";
import { site } from "./site.ts";

/**
 * A reader's way: the clone is packed, its packages are installed in a folder of their own, and the blocks of each guide
 * are done in order in a fresh folder that knows nothing of the workspace.
 */
const workspace = join(site, "../..");
const guides = globSync("guides/*.md", { cwd: site })
  .sort()
  .map((path) => ({ name: path.replace(/^guides\//, "").replace(/\.md$/, ""), path }));
const texts = new Map<string, string>();
for (const { name, path } of guides) texts.set(name, await readFile(join(site, path), "utf8"));

/** Languages that are done, or checked; a text is what the commands before it print. */
const done = new Set(["ts", "sh", "yaml", "json", "csv", "file", "text"]);

let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "espalier-guides-"));
  await run("npx -y pnpm@12 --silent tarballs", workspace);
  await symlink(workspace, join(home, "espalier"));
  await install(join(home, "quick-start"));
});
afterAll(() => rm(home, { recursive: true, force: true }));

/** The commands of the quick start that make a project: every other guide begins where they end. */
async function install(folder: string): Promise<void> {
  const block = blocksOf(texts.get("quick-start")!).find(({ code }) => code.includes("npm install"));
  await mkdir(folder, { recursive: true });
  await run(block!.code, folder);
}

async function project(name: string): Promise<string> {
  const folder = join(home, name);
  if (existsSync(folder)) return folder;
  await mkdir(folder);
  await writeFile(join(folder, "package.json"), JSON.stringify({ name, private: true, type: "module" }));
  await symlink(join(home, "quick-start", "node_modules"), join(folder, "node_modules"));
  return folder;
}

describe.each(guides)("$name", ({ name, path }) => {
  const text = texts.get(name)!;
  const blocks = blocksOf(text);

  it("says of every block that is not run why", () => {
    const silent = blocks.filter(({ language, reason }) => !done.has(language) && reason === undefined);
    expect(
      silent.map(({ line, language }) => `line ${line}: ${language || "a block without a language"}`),
    ).toEqual([]);
  });

  it("shows whole files from where they are tested", () => {
    for (const { include } of blocks) {
      if (include === undefined) continue;
      const file = relative(workspace, join(site, dirname(path), include));
      expect(file).toMatch(/^(examples|recipes)\//);
      expect(existsSync(join(workspace, file)), file).toBe(true);
    }
  });

  it("does not ask for packages that are not published", () => {
    expect(text).not.toMatch(/npm (install|i|add) (-\S+ )*(espalier|@espalier\/)/);
  });

  const steps = blocks.filter(
    ({ language, reason, instead }) => (done.has(language) && reason === undefined) || instead !== undefined,
  );
  const needsPostgres = name === "many-machines";
  const runs = steps.length > 0 && (!needsPostgres || binaries !== undefined);
  it.runIf(runs)(`does what it says${needsPostgres ? lacking : ""}`, async () => {
    if (needsPostgres) {
      const postgres = await startPostgres();
      vi.stubEnv("ESPALIER_QUEUE", postgres.url);
      onTestFinished(async () => {
        vi.unstubAllEnvs();
        await postgres.stop();
      });
    }
    const folder = await project(name);
    const commands = steps.filter(({ language }) => language === "sh").map(({ code }) => code);
    let printed = "";
    for (const block of steps) {
      try {
        if (block.language === "text" && block.instead === undefined) expectShown(block.code, printed);
        else printed = await perform(block, folder, commands);
      } catch (error) {
        throw new Error(`${path}, line ${block.line}: ${(error as Error).message}`);
      }
    }
  });
});

/** What readers' editors would say of the code. */
describe("the code of the guides", () => {
  it("has sound types", async () => {
    const compilerOptions = {
      target: "es2023",
      lib: ["es2024", "dom"],
      module: "nodenext",
      strict: true,
      noEmit: true,
      allowImportingTsExtensions: true,
      erasableSyntaxOnly: true,
      skipLibCheck: true,
      typeRoots: [join(workspace, "node_modules", "@types")],
      types: ["node"],
    };
    const include = ["*/*.ts"];
    await writeFile(join(home, "tsconfig.json"), JSON.stringify({ compilerOptions, include }));
    await run(`node ${join(workspace, "node_modules/typescript/bin/tsc")} -p .`, home);
  });
});

async function perform(block: Block, folder: string, commands: readonly string[]): Promise<string> {
  const { language, file, code, include, instead } = block;
  if (instead !== undefined) return run(instead, folder);
  if (file !== undefined) {
    const text = include === undefined ? code : await readFile(join(site, "guides", include), "utf8");
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await writeFile(join(folder, file), text);
  }
  if (language === "yaml") readerOf(code)(code, file ?? "block");
  if (language === "json") JSON.parse(code);
  if (language === "sh" && !code.includes("npm install")) return run(code, folder);
  if (language === "ts") {
    if (file === undefined) throw new Error("a block of code needs the name of a file.");
    if (!commands.some((command) => command.includes(file))) return run(`node ${file}`, folder);
  }
  return "";
}

/** Recipes have a format version, searches one model, sweeps neither. */
function readerOf(yaml: string): (text: string, where: string) => unknown {
  if (/^format:/m.test(yaml)) return (text, where) => readRecipe(text, where, createRegistry());
  return /^model:/m.test(yaml) ? readSearchFile : parseSweepConfig;
}

/** A shell's commands, with this process's Node first. Throws an Error with what they print if one of them fails. */
function run(commands: string, cwd: string): Promise<string> {
  const path = `${dirname(process.execPath)}:${process.env.PATH}`;
  const env = { ...process.env, PATH: path, NO_COLOR: "1", NODE_OPTIONS: "" };
  const child = spawn("bash", ["-euo", "pipefail", "-c", commands], { cwd, env });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (part) => (output += part));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${commands.trim()}\nended with ${code}:\n${output.slice(-3000)}`));
    });
  });
}
