/** A fenced block of a guide, or a file that it shows by `<<< path`. */
export interface Block {
  readonly language: string;
  /** `[name]` after the language or the path: the file a reader saves it as. */
  readonly file: string | undefined;
  /** What is in the block; empty for a file that is shown. */
  readonly code: string;
  /** Path of a file that is shown, relative to the guide. */
  readonly include: string | undefined;
  /** Of the guide's text, from 1. */
  readonly line: number;
  /** Why it is not run: `<!-- not run here: … -->` above it. */
  readonly reason: string | undefined;
  /** A command that is run in its place: `; instead: …` at the end of the reason. */
  readonly instead: string | undefined;
}

/** The blocks of a Markdown text, in order. */
export function blocksOf(text: string): Block[] {
  const lines = text.split("\n");
  const blocks: Block[] = [];
  for (let i = 0; i < lines.length; i++) {
    const shown = /^<<< ([^\s{#]+)\S* *(?:\[([^\]]+)\])?$/.exec(lines[i]!);
    const open = /^( *)(`{3,})(\w*) *(?:\[([^\]]+)\])?/.exec(lines[i]!);
    const about = { line: i + 1, ...reasonAbove(lines, i) };
    if (shown !== null) {
      blocks.push({ language: "file", file: shown[2], code: "", include: shown[1], ...about });
    } else if (open !== null) {
      const [, indent = "", fence = "", language = "", file] = open;
      const end = lines.findIndex((line, at) => at > i && line.trim() === fence);
      if (end < 0) throw new Error(`line ${i + 1}: this block has no end.`);
      const code = lines.slice(i + 1, end).map((line) => line.slice(indent.length));
      blocks.push({ language, file, code: `${code.join("\n")}\n`, include: undefined, ...about });
      i = end;
    }
  }
  return blocks;
}

function reasonAbove(lines: readonly string[], at: number): Pick<Block, "reason" | "instead"> {
  let above = at - 1;
  while (above >= 0 && lines[above]!.trim() === "") above--;
  const comment = /^ *<!-- not run here: (.+?)(?:; instead: (.+))? -->$/.exec(lines[above] ?? "");
  return { reason: comment?.[1], instead: comment?.[2] };
}
