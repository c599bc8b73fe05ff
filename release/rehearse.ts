/**
 * A release from beginning to end, in a copy, to a registry on this machine: version, build, publish, install with npm
 * and pnpm, and use what was installed. Prints what it takes, and fails where that is more than is promised.
 */
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { manifestsOf } from "./manifests.ts";
import { footprintOf, pageSize, runTenLines, trainPrunePredict } from "./outsider.ts";
import { publishAll } from "./publish.ts";
import { publicNames, published, startRegistry } from "./registry.ts";
import { pnpm, run } from "./run.ts";

/** Limits for an installation and a page. */
const most = { packages: 90, megabytes: 90, kilobytes: 55 };

const workspace = fileURLToPath(new URL("..", import.meta.url));
const folder = await mkdtemp(join(tmpdir(), "espalier-release-"));

async function step<T>(label: string, work: () => Promise<T>): Promise<T> {
  const start = performance.now();
  const result = await work();
  console.log(`${label}: ${((performance.now() - start) / 1000).toFixed(0)} s`);
  return result;
}

/** The workspace's files, committed or not, as a repository of their own. */
async function copyWorkspace(to: string): Promise<void> {
  const list = await run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: workspace,
  });
  for (const path of new Set(list.split("\0"))) {
    if (path === "") continue;
    await mkdir(dirname(join(to, path)), { recursive: true });
    await cp(join(workspace, path), join(to, path), { preserveTimestamps: true }).catch(
      (error: NodeJS.ErrnoException) => {
        // A file that is deleted, and not yet committed.
        if (error.code !== "ENOENT") throw error;
      },
    );
  }
  const git = ["git", "-c", "user.name=rehearsal", "-c", "user.email=rehearsal@localhost"];
  await run([...git, "init", "-q", "-b", "main"], { cwd: to });
  await run([...git, "add", "-A"], { cwd: to });
  await run([...git, "commit", "-q", "-m", "What is released"], { cwd: to });
  // A build that is there already spares most of the one before each package is packed.
  for (const path of manifestsOf(to)) {
    const built = join(dirname(path), "dist");
    if (!existsSync(join(workspace, built))) continue;
    await cp(join(workspace, built), join(to, built), { recursive: true, preserveTimestamps: true });
  }
}

async function main(): Promise<void> {
  const clone = join(folder, "clone");
  await step("copied", () => copyWorkspace(clone));
  await step("installed its tools", () =>
    run([...pnpm, "install", "--frozen-lockfile", "--prefer-offline"], { cwd: clone }),
  );
  const inClone = (...args: string[]) => run([...pnpm, "exec", ...args], { cwd: clone });
  await step("versioned", () => inClone("changeset", "version"));
  const written = await run(["git", "ls-files", "--modified", "--others", "--exclude-standard"], {
    cwd: clone,
  });
  await step("linted what versioning wrote", async () =>
    inClone(
      ...["biome", "check", "--error-on-warnings", "--no-errors-on-unmatched"],
      ...written.split("\n").filter((path) => path !== "" && existsSync(join(clone, path))),
    ),
  );
  await inClone("node", "release/manifests.ts", "https://git.example/espalier");

  const registry = await step("started Verdaccio", () => startRegistry(join(folder, "registry")));
  try {
    await writeFile(join(clone, ".npmrc"), registry.npmrc);
    const names = await publicNames(manifestsOf(clone).map((path) => join(clone, path)));
    await step("built and published", () => publishAll(clone));
    const tarballs = await published(registry, names);
    const kilobytes = tarballs.reduce((sum, { bytes }) => sum + bytes, 0) / 1000;
    console.log(`${tarballs.length} packages of version ${tarballs[0]!.version}, ${kilobytes.toFixed(0)} kB`);
    await useThem(registry.npmrc);
  } finally {
    await registry.close();
  }
}

/** Result of installing the packages in an empty folder. */
async function useThem(npmrc: string): Promise<void> {
  const empty = async (name: string) => {
    const path = join(folder, name);
    await mkdir(path);
    await writeFile(join(path, ".npmrc"), npmrc);
    await writeFile(join(path, "package.json"), JSON.stringify({ name, private: true, type: "module" }));
    return path;
  };
  const byNpm = await empty("npm");
  await step("npm install espalier", () =>
    run(["npm", "install", "--no-audit", "--no-fund", "espalier"], { cwd: byNpm }),
  );
  const { packages, megabytes } = await footprintOf(byNpm);
  await step("ten lines", () => runTenLines(join(workspace, "README.md"), byNpm));
  await step("train, prune, predict", () => trainPrunePredict(byNpm));
  const byPnpm = await empty("pnpm");
  await step("pnpm add espalier", () => run([...pnpm, "add", "espalier"], { cwd: byPnpm }));
  await step("train, prune, predict", () => trainPrunePredict(byPnpm));
  const page = await empty("page");
  await run(["npm", "install", "--no-audit", "--no-fund", "@espalier/forecaster"], { cwd: page });
  const { usual, whole } = await pageSize(page);

  const told = { packages, megabytes, kilobytes: usual };
  console.log(
    `installed: ${packages} packages, ${megabytes.toFixed(1)} MB; a page that forecasts: ${usual.toFixed(1)} kB gzip, ${whole.toFixed(1)} kB with rare operators`,
  );
  for (const key of Object.keys(most) as (keyof typeof most)[]) {
    if (told[key] > most[key])
      throw new Error(`${key}: ${told[key].toFixed(1)}, at most ${most[key]} is allowed.`);
  }
}

try {
  await main();
} catch (error) {
  console.error(`release: ${(error as Error).message}`);
  process.exitCode = 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}
