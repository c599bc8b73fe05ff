import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { operators } from "@espalier/core/graph";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { lacks } from "../../../packages/backends/webgpu/test/lacks.ts";
import { commands } from "../../../packages/cli/src/commands/index.ts";
import { publicPackages, writeApi } from "../build/api.ts";
import { commandHelp, commandPage } from "../build/commands.ts";
import { incomingMarkdown } from "../build/incoming.ts";
import { operatorPage } from "../build/operators.ts";
import { site } from "./site.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "espalier-api-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The reference of a package with this source. */
async function referenceOf(name: string, source: string) {
  const at = join(folder, name);
  await mkdir(join(at, "src"), { recursive: true });
  await writeFile(join(at, "package.json"), JSON.stringify({ name, version: "1.0.0" }));
  await writeFile(join(at, "src", "index.ts"), source);
  const tsconfig = join(at, "tsconfig.json");
  const compilerOptions = { target: "es2023", module: "nodenext", skipLibCheck: true, types: [] };
  await writeFile(tsconfig, JSON.stringify({ compilerOptions, include: ["src"] }));
  // A project of one module has no page for it.
  await writeFile(join(at, "src", "more.ts"), "/** One. */\nexport const one = 1;\n");
  const entries = [
    { name, source: join(at, "src", "index.ts") },
    { name: `${name}/more`, source: join(at, "src", "more.ts") },
  ];
  const pages = await writeApi(
    at,
    [{ name, description: "Tries it.", folder: at, entries }],
    join(at, "out"),
    tsconfig,
  );
  return readFile(join(at, "out", `${pages.find(({ title }) => title === name)!.slug}.md`), "utf8");
}

describe("the reference", () => {
  it("is made from doc comments", async () => {
    const text = await referenceOf(
      "whole",
      "/** Adds one. */\nexport function next(n: number): number { return n + 1; }\n",
    );
    expect(text).toContain("# whole\n\nTries it.\n\nImport from `whole`.");
    expect(text).toContain("Adds one.");
  });

  it.each([
    ["a function", "export function next(n: number): number { return n + 1; }"],
    ["a type", "export type Size = number;"],
    ["a value", "export const size = 3;"],
    ["a method", "/** Counts. */\nexport class Counter { add(): void {} }"],
  ])("is refused without the comment of %s", async (what, source) => {
    await expect(referenceOf(what.replaceAll(" ", "-"), `${source}\n`)).rejects.toThrow(
      /the reference is not whole:\n.*does not have any documentation/,
    );
  });

  it("is refused with a link that leads nowhere", async () => {
    const source = "/** See {@link nothing}. */\nexport const size = 3;\n";
    await expect(referenceOf("dead", source)).rejects.toThrow(/Failed to resolve link/);
  });

  it("covers every package that is to be published", () => {
    const names = publicPackages(join(site, "../..")).map(({ name }) => name);
    expect(names).toContain("@espalier/core");
    expect(names).toContain("espalier");
    expect(names).not.toContain("@espalier/docs");
    expect(names.length).toBeGreaterThan(14);
  });

  it("has the help of every command, option by option", async () => {
    const all = await commandHelp();
    expect(all.map(({ name }) => name)).toEqual(commands.map(({ name }) => name));
    const page = commandPage(all.find(({ name }) => name === "prune")!);
    expect(page).toContain(
      '| <code class="term">--sparsity &lt;share></code> | parameters that are zero or removed |',
    );
    expect(page).toContain("## Examples");
  });

  it("has every operator, and a mark where each of them runs", async () => {
    const rows = (await operatorPage()).split("\n").filter((line) => line.startsWith("| `"));
    expect(rows.length).toBe(operators.size);
    expect(rows.find((row) => row.startsWith("| `MatMul`"))).toMatch(/∇ F( \| ●){8} \|$/);
    // The backends have every operator, but for those that WebGPU's conformance suite knows it lacks.
    const empty = rows.flatMap((row) => {
      const [, name, , ...marks] = row.split("|").map((cell) => cell.trim());
      return marks.slice(0, 6).flatMap((mark, i) => (/^(●|○|◐|product)$/.test(mark) ? [] : [`${name} ${i}`]));
    });
    expect(empty.sort()).toEqual(lacks.map((name) => `\`${name}\` 5`).sort());
  });
});

describe("what comes in", () => {
  const about = (model: string, exporter: "TorchScript" | "torch.export") => ({
    library: "L",
    model,
    configuration: "a",
    exporter,
  });
  const whole = {
    in: true,
    error: 2e-7,
    openBatch: true,
    heads: 4,
    channels: 9,
    pruned: true,
    roundTrip: 1e-7,
  } as const;
  const page = incomingMarkdown({
    format: 1,
    torch: "2.13",
    rows: [
      {
        ...about("A", "TorchScript"),
        exported: true,
        outcome: { ...whole, heads: 0, openBatch: "a <node> fixes it" },
      },
      { ...about("A", "torch.export"), exported: true, outcome: whole },
      { ...about("B_C", "TorchScript"), exported: true, outcome: { in: false, why: 'node "a": no' } },
      { ...about("B_C", "torch.export"), exported: true, outcome: { in: false, why: 'node "b": no' } },
      { ...about("B_C", "torch.export"), configuration: "b", exported: true, outcome: whole },
      { ...about("D", "TorchScript"), exported: false, why: "it fails" },
    ],
  });

  it("is a line for each exporter, one for both that came to the same, and sums", () => {
    expect(page).toContain(
      "Files that PyTorch 2.13 exports from the models of 1 libraries, imported as they are: 3 of 5.",
    );
    expect(page).toContain("3 of 5 files of the 2 models of");
    expect(page).toContain(
      "| A | TorchScript | ● | – | – | 9 | ● | ● |\n| A | torch.export | ● | ● | 4 | 9 | ● | ● |",
    );
    expect(page).toContain(
      "| B C (a) | both | – |  |  |  |  |  |\n| B C (b) | torch.export | ● | ● | 4 | 9 | ● | ● |",
    );
  });

  it("gives each reason once, with all that it holds for", () => {
    expect(page).toContain("- **A, TorchScript**: a &lt;node> fixes it");
    expect(page).toContain('- **B C**: node "a": no');
    expect(page).toMatch(
      /### Not exported: a model that cannot be built here, or that an exporter refuses\n\n- \*\*D, TorchScript\*\*: it fails/,
    );
  });
});
