import { run } from "espalier";

/** One command of `espalier`, with what its `--help` prints. */
export interface CommandHelp {
  readonly name: string;
  readonly summary: string;
  readonly help: string;
}

/** Every command, as the program itself describes it. */
export async function commandHelp(): Promise<CommandHelp[]> {
  const overview = await helpOf([]);
  const listed = /^Commands:\n((?: {2}.*\n)+)/m.exec(overview)?.[1];
  if (listed === undefined) throw new Error("espalier --help has no list of commands any more.");
  // `help` only repeats the others' help.
  const commands = [...listed.matchAll(/^ {2}(\w+)[^\n]*? {2,}(.+)$/gm)]
    .map(([, name, summary]) => ({
      name: name!,
      summary: summary!,
    }))
    .filter(({ name }) => name !== "help");
  return Promise.all(commands.map(async (command) => ({ ...command, help: await helpOf([command.name]) })));
}

async function helpOf(command: readonly string[]): Promise<string> {
  let text = "";
  const stdout = { columns: 96, write: (part: string) => (text += part) };
  const code = await run([...command, "--help"], { stdout, env: { NO_COLOR: "1" } });
  if (code !== 0) throw new Error(`espalier ${command.join(" ")} --help ends with ${code}.`);
  return text;
}

/** The page of one command: its own words, a section for each group of options. */
export function commandPage({ name, summary, help }: CommandHelp): string {
  const sections = help.trimEnd().split(/\n\n(?=\S)/);
  const body = sections.map((section) => {
    const [first, ...rest] = section.split("\n");
    const heading = /^([A-Z][^:]*):(.*)$/.exec(first!);
    if (heading === null) return escaped(section.replaceAll(/\n */g, " "));
    const lines = [heading[2]!.trim(), ...rest].filter((line, i) => i > 0 || line !== "");
    return `## ${heading[1]}\n\n${optionTable(lines) ?? `\`\`\`text\n${lines.map((line) => line.replace(/^ {2}/, "")).join("\n")}\n\`\`\``}`;
  });
  return `# espalier ${name}\n\n${summary}\n\n${body.join("\n\n")}\n`;
}

/** Lines of options, or of arguments, as a table; undefined if they are something else. */
function optionTable(lines: readonly string[]): string | undefined {
  const rows: [term: string, text: string][] = [];
  for (const line of lines) {
    const start = /^ {2}(\S.*?)(?: {2,}(.*))?$/.exec(line);
    const last = rows.at(-1);
    if (start !== null && /^(-|[a-z]+$)/.test(start[1]!)) rows.push([start[1]!, start[2] ?? ""]);
    else if (/^ {6,}\S/.test(line) && last !== undefined) last[1] = `${last[1]} ${line.trim()}`.trim();
    else return undefined;
  }
  if (rows.length === 0) return undefined;
  const cells = rows.map(
    ([term, text]) => `| <code class="term">${escaped(term)}</code> | ${escaped(text)} |`,
  );
  return `| | |\n| --- | --- |\n${cells.join("\n")}`;
}

/** Text that Markdown and Vue leave alone. */
function escaped(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll("|", "\\|")
    .replaceAll("*", "\\*")
    .replaceAll("{{", "&#123;&#123;");
}
