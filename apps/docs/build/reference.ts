import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type ApiPage, publicPackages, writeApi } from "./api.ts";
import { commandHelp, commandPage } from "./commands.ts";
import { incomingPage } from "./incoming.ts";
import { operatorPage } from "./operators.ts";
import { schemaPages } from "./schemas.ts";

/** An entry of the sidebar. */
export interface SidebarEntry {
  readonly text: string;
  readonly link?: string;
  readonly items?: readonly SidebarEntry[];
}

/** The reference: packages, commands, files, operators. Gives the entries of its sidebar. */
export async function writeReference(workspace: string, site: string): Promise<SidebarEntry[]> {
  const folder = join(site, "reference");
  const packages = publicPackages(workspace);
  const api = await writeApi(workspace, packages, join(folder, "api"));
  const commands = await commandHelp();
  await mkdir(join(folder, "cli"), { recursive: true });
  for (const command of commands)
    await writeFile(join(folder, "cli", `${command.name}.md`), commandPage(command));
  const schemas = schemaPages();
  for (const { slug, text } of schemas) await writeFile(join(folder, `${slug}.md`), text);
  await writeFile(join(folder, "operators.md"), await operatorPage());
  await writeFile(join(folder, "what-comes-in.md"), await incomingPage(workspace));

  const inCore = (page: ApiPage) => page.package === "@espalier/core";
  const entry = ({ slug, title }: ApiPage): SidebarEntry => ({ text: title, link: `/reference/api/${slug}` });
  const index = `# Reference

Everything here is made from the sources: names from their doc comments, commands from their help, files from their schemas.

## Packages

| package | |
| --- | --- |
${packages.map(({ name, description }) => `| [\`${name}\`](./api/${api.find(({ title }) => title === name)!.slug}.md) | ${description} |`).join("\n")}

\`@espalier/core\` has one entry for each audience: ${api
    .filter(inCore)
    .map(({ slug, title }) => `[\`${title}\`](./api/${slug}.md)`)
    .join(", ")}.

## Commands

| command | |
| --- | --- |
${commands.map(({ name, summary }) => `| [\`espalier ${name}\`](./cli/${name}.md) | ${summary} |`).join("\n")}

## Files and operators

${schemas.map(({ slug, title, summary }) => `- [${title}](./${slug}.md): ${summary}`).join("\n")}
- [Operators](./operators.md): what graphs are made of, and which backend runs what.
- [What comes in](./what-comes-in.md): models that PyTorch exports, and what can be done with them.
`;
  await writeFile(join(folder, "index.md"), index);
  return [
    { text: "Overview", link: "/reference/" },
    {
      text: "Commands",
      items: commands.map(({ name }) => ({ text: name, link: `/reference/cli/${name}` })),
    },
    {
      text: "Files and operators",
      items: [
        ...schemas.map(({ slug, title }) => ({ text: title, link: `/reference/${slug}` })),
        { text: "Operators", link: "/reference/operators" },
        { text: "What comes in", link: "/reference/what-comes-in" },
      ],
    },
    { text: "@espalier/core", items: api.filter(inCore).map(entry) },
    { text: "Other packages", items: api.filter((page) => !inCore(page)).map(entry) },
  ];
}
