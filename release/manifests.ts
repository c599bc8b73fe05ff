/**
 * Writes where the repository is into the manifests and READMEs of all packages, before they are published:
 * `node release/manifests.ts https://github.com/OWNER/NAME`. npm shows a README without the files around it, so relative
 * links become addresses.
 */
import { globSync, statSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { dirname, join, normalize, relative } from "node:path";

/** Manifests of the packages that are published, relative to the workspace. */
export function manifestsOf(root: string): string[] {
  return globSync("{datasets,packages/*,packages/{strategies,backends}/*}/package.json", {
    cwd: root,
  }).sort();
}

/** Completes every manifest and README below `root`. */
export async function writeAddresses(root: string, repository: string): Promise<void> {
  for (const path of manifestsOf(root)) {
    const file = join(root, path);
    const manifest = JSON.parse(await readFile(file, "utf8")) as Record<string, unknown>;
    if (manifest.private === true) continue;
    const directory = dirname(path).replaceAll("\\", "/");
    const complete = {
      ...manifest,
      homepage: `${repository}/tree/main/${directory}`,
      bugs: `${repository}/issues`,
      repository: { type: "git", url: `git+${repository}.git`, directory },
    };
    await writeFile(file, `${JSON.stringify(complete, null, 2)}\n`);
    const readme = join(root, directory, "README.md");
    await writeFile(readme, withAddresses(await readFile(readme, "utf8"), directory, root, repository));
  }
}

/** A README whose relative links are addresses. Throws an Error for a link to nothing. */
export function withAddresses(text: string, directory: string, root: string, repository: string): string {
  return text.replaceAll(/\]\((?!https?:|#)([^)#\s]+)(#[^)\s]*)?\)/g, (_, path: string, anchor = "") => {
    const target = normalize(join(root, directory, path));
    const kind = statSync(target).isDirectory() ? "tree" : "blob";
    return `](${repository}/${kind}/main/${relative(root, target).replaceAll("\\", "/")}${anchor})`;
  });
}

if (import.meta.main) {
  const [repository] = process.argv.slice(2);
  if (!repository?.startsWith("https://")) {
    console.error("release: give the address of the repository: node release/manifests.ts https://…");
    process.exitCode = 1;
  } else await writeAddresses(process.cwd(), repository.replace(/(\.git)?\/*$/, ""));
}
