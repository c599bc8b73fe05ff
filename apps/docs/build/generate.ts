import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { landing } from "./landing.ts";
import { type SidebarEntry, writeReference } from "./reference.ts";
import { writeResults } from "./results.ts";

/** Sidebar entries of generated pages. */
export interface GeneratedPages {
  readonly results: readonly SidebarEntry[];
  readonly reference: readonly SidebarEntry[];
}

/** Makes what no one writes: reference, pages of results, figures for the landing page. `root` is the site's folder. */
export async function generate(root: string): Promise<void> {
  const workspace = join(root, "../..");
  for (const old of ["generated", "results", "reference", "public/data"])
    await rm(join(root, old), { recursive: true, force: true });
  await mkdir(join(root, "generated"), { recursive: true });
  await writeFile(join(root, "generated", "landing.json"), JSON.stringify(await landing(root)));
  const results = await writeResults(workspace, root);
  await writeFile(join(root, "results", "index.md"), resultsIndex(results));
  const pages: GeneratedPages = {
    results: results.map(({ title, link }) => ({ text: title, link })),
    reference: await writeReference(workspace, root),
  };
  await writeFile(join(root, "generated", "pages.json"), JSON.stringify(pages));
}

function resultsIndex(pages: readonly { title: string; link: string; summary: string }[]): string {
  return `# Results

Every number here comes from a file in the repository's \`results/\`, written by a command that its page names. Nothing is
typed by hand, nothing is derived from FLOPs that was not measured.

${pages.map(({ title, link, summary }) => `## [${title}](.${link.replace("/results", "")}.md)\n\n${summary}`).join("\n\n")}

## How to read them

- **Sparsity** is what was reached, not what was asked for: 1 − nonzero ÷ dense parameters of the whole model.
- **Speed-up** is a ratio of medians; the dense and the pruned model took turns in one process.
- Hollow marks are targets that a strategy could not reach; its nearest model is shown in their place.

`;
}
