import { globSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const actions = join(root, "packages/cli/src/actions");

/** Source files of the workspace's packages by what they are imported as. */
const sources = new Map(
  globSync(["packages/**/package.json", "datasets/package.json"], {
    cwd: root,
    exclude: (path) => /node_modules|dist/.test(path),
  }).flatMap((path) => {
    const { name, exports } = JSON.parse(readFileSync(join(root, path), "utf8")) as {
      name: string;
      exports: Record<string, Record<string, string>>;
    };
    return Object.entries(exports).map(
      ([entry, { "@espalier/source": source = "" }]) =>
        [join(name, entry), join(root, dirname(path), source)] as const,
    );
  }),
);

/** What a file imports when it is loaded: no types, and not what it imports later. */
function importsOf(file: string): string[] {
  const text = readFileSync(file, "utf8");
  const pattern = /^(?:import|export)\s+(?!type\b)(?:[^"';]*?\bfrom\s+)?"([^"]+)"/gm;
  return [...text.matchAll(pattern)].map((match) => match[1]!);
}

/** All that is loaded with a file: files as paths in the repository, other packages by name. */
function loadedWith(start: string): Set<string> {
  const loaded = new Set<string>();
  const visit = (file: string) => {
    const name = relative(root, file);
    if (loaded.has(name)) return;
    loaded.add(name);
    for (const target of importsOf(file)) {
      const source = target.startsWith(".") ? join(dirname(file), target) : sources.get(target);
      if (source === undefined) loaded.add(target);
      else visit(source);
    }
  };
  visit(start);
  return loaded;
}

const draws = (name: string) => /^packages\/report\/src\/(charts|render)|^vega|^@resvg/.test(name);

it.each(readdirSync(actions).filter((name) => name !== "report.ts"))(
  "%s loads nothing that draws",
  (name) => {
    const loaded = [...loadedWith(join(actions, name))];
    expect(loaded.filter(draws)).toEqual([]);
    // All of the workspace's packages were followed.
    expect(loaded.filter((target) => target.startsWith("@espalier/"))).toEqual([]);
  },
);

it("report.ts does, so that the walk is known to find it", () => {
  const found = [...loadedWith(join(actions, "report.ts"))].filter(draws);
  expect(found).toContain("packages/report/src/render.ts");
});
