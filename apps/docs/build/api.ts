import { globSync, readFileSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  Application,
  Converter,
  type DeclarationReflection,
  Logger,
  LogLevel,
  type ProjectReflection,
  type TypeDocOptions,
} from "typedoc";

/** One package, and what it exports. */
export interface DocumentedPackage {
  readonly name: string;
  readonly description: string;
  readonly folder: string;
  /** Its modules: `.` and others such as `./node`, with their sources. */
  readonly entries: readonly { readonly name: string; readonly source: string }[];
}

/** One page of the reference. */
export interface ApiPage {
  /** Name of its file, without `.md`. */
  readonly slug: string;
  /** The module its names are imported from: `@espalier/core/graph`. */
  readonly title: string;
  readonly package: string;
}

/** Every package of the workspace that is to be published, in the order of their folders. */
export function publicPackages(workspace: string): DocumentedPackage[] {
  return globSync(["packages/**/package.json", "datasets/package.json"], {
    cwd: workspace,
    exclude: (path) => path.includes("node_modules"),
  })
    .sort()
    .flatMap((path) => {
      const folder = dirname(join(workspace, path));
      const json = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
        name: string;
        description: string;
        private?: boolean;
        exports: Record<string, { "@espalier/source": string }>;
      };
      if (json.private) return [];
      const entries = Object.entries(json.exports).flatMap(([key, { "@espalier/source": source }]) =>
        source === undefined ? [] : [{ name: `${json.name}${key.slice(1)}`, source: join(folder, source) }],
      );
      return [{ name: json.name, description: json.description, folder, entries }];
    });
}

/** How every reference is made. */
const settings: TypeDocOptions & Readonly<Record<string, unknown>> = {
  // Types are checked elsewhere, by the workspace's own TypeScript.
  skipErrorChecking: true,
  plugin: ["typedoc-plugin-markdown"],
  requiredToBeDocumented: ["Class", "Enum", "Function", "Interface", "TypeAlias", "Variable"],
  validation: { notExported: false, invalidLink: true, notDocumented: true, unusedMergeModuleWith: false },
  excludeInternal: true,
  excludePrivate: true,
  excludeExternals: true,
  readme: "none",
  logLevel: "Warn",
  // There is no address to link to.
  disableGit: true,
  gitRevision: "main",
  sourceLinkTemplate: "{path}",
  router: "module",
  entryFileName: "index",
  hideBreadcrumbs: true,
  hidePageHeader: true,
  useCodeBlocks: true,
  parametersFormat: "table",
  interfacePropertiesFormat: "table",
  typeDeclarationFormat: "table",
  sanitizeComments: true,
  sort: ["kind", "source-order"],
};

/**
 * Writes the pages of what packages export, from their doc comments. Throws an Error that lists every exported name
 * without one, and every link that leads nowhere.
 */
export async function writeApi(
  workspace: string,
  packages: readonly DocumentedPackage[],
  out: string,
  tsconfig: string = join(import.meta.dirname, "tsconfig.api.json"),
): Promise<ApiPage[]> {
  const logger = new Complaints();
  const app = await Application.bootstrapWithPlugins({
    ...settings,
    entryPoints: packages.flatMap(({ entries }) => entries.map(({ source }) => source)),
    packagesRequiringDocumentation: packages.map(({ name }) => name),
    basePath: workspace,
    tsconfig,
    out,
  });
  app.logger = logger;
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => arrange(project, packages), 1000);
  const project = await app.convert();
  if (project === undefined) throw new Error(`the reference cannot be made:\n${logger.lines.join("\n")}`);
  app.validate(project);
  if (logger.lines.length > 0) throw new Error(`the reference is not whole:\n${logger.lines.join("\n")}`);
  for (const reflection of Object.values(project.reflections)) {
    if ("sources" in reflection) delete (reflection as DeclarationReflection).sources;
  }
  await rm(out, { recursive: true, force: true });
  const pages = (project.children ?? []).map(({ name }) => pageOf(name, packages));
  await app.generateOutputs(project);
  if (logger.lines.length > 0) throw new Error(`the reference is not whole:\n${logger.lines.join("\n")}`);
  // The site has an index of its own.
  await rm(join(out, "index.md"));
  await Promise.all(pages.map((page) => writeHead(join(out, `${page.slug}.md`), page, packages)));
  return pages.sort((a, b) => a.title.localeCompare(b.title, "en"));
}

/** Collects what TypeDoc complains about: nothing that it warns of is to be let through. */
class Complaints extends Logger {
  readonly lines: string[] = [];

  override log(message: string, level: LogLevel): void {
    if (level >= LogLevel.Warn) this.lines.push(message);
  }
}

/** Modules are named as their pages' files are. */
function arrange(project: ProjectReflection, packages: readonly DocumentedPackage[]): void {
  const names = new Map(packages.flatMap(({ entries }) => entries.map(({ name, source }) => [source, name])));
  for (const module of [...(project.children ?? [])]) {
    const name = names.get(module.sources?.[0]?.fullFileName ?? "");
    if (name === undefined)
      throw new Error(`the reference: no package has ${module.sources?.[0]?.fileName}.`);
    module.name = slugOf(name);
  }
}

function slugOf(module: string): string {
  return module.replace(/^@espalier\//, "").replaceAll("/", "-");
}

function pageOf(slug: string, packages: readonly DocumentedPackage[]): ApiPage {
  for (const { name, entries } of packages) {
    for (const entry of entries)
      if (slugOf(entry.name) === slug) return { slug, title: entry.name, package: name };
  }
  throw new Error(`the reference: no module has the page ${slug}.`);
}

/** In place of the module's name: what the page is about, and where its names come from. */
async function writeHead(
  path: string,
  { title, package: of }: ApiPage,
  packages: readonly DocumentedPackage[],
): Promise<void> {
  const text = await readFile(path, "utf8");
  const description = title === of ? `${packages.find(({ name }) => name === of)!.description}\n\n` : "";
  const head = `# ${title}\n\n${description}Import from \`${title}\`.\n`;
  await writeFile(path, text.replace(/^# .*\n/, head));
}
