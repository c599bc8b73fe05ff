/** A fenced block of a guide. */
export interface Block {
  readonly language: string;
  /** `[name]` after the language: the file a reader saves it as. */
  readonly file: string | undefined;
  readonly code: string;
  /** Of the guide's text, from 1. */
  readonly line: number;
  /** Why it is not run: `<!-- not run here: … -->` above it. */
  readonly reason: string | undefined;
}

/** The fenced blocks of a Markdown text, in order. */
export function blocksOf(text: string): Block[] {
  const lines = text.split("\n");
  const blocks: Block[] = [];
  for (let i = 0; i < lines.length; i++) {
    const open = /^( *)(`{3,})(\w*) *(?:\[([^\]]+)\])?/.exec(lines[i]!);
    if (open === null) continue;
    const [, indent = "", fence = "", language = "", file] = open;
    const end = lines.findIndex((line, at) => at > i && line.trim() === fence);
    if (end < 0) throw new Error(`line ${i + 1}: this block has no end.`);
    const code = lines.slice(i + 1, end).map((line) => line.slice(indent.length));
    blocks.push({ language, file, code: `${code.join("\n")}\n`, line: i + 1, reason: reasonAbove(lines, i) });
    i = end;
  }
  return blocks;
}

function reasonAbove(lines: readonly string[], at: number): string | undefined {
  let above = at - 1;
  while (above >= 0 && lines[above]!.trim() === "") above--;
  return /^ *<!-- not run here: (.+) -->$/.exec(lines[above] ?? "")?.[1];
}

/** Files that a guide shows by `<<< path`, relative to the guide. */
export function includesOf(text: string): string[] {
  return [...text.matchAll(/^<<< ([^\s{#]+)/gm)].map(([, path]) => path!);
}
