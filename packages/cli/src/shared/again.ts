import type { Context } from "../context.ts";

/** The command line that resumes the current one after a stop. */
export function resumingCommand({ argv }: Context): string {
  const again = argv.filter((word) => word !== "--force" && word !== "--resume");
  return ["espalier", ...again, "--resume"].map(shellWord).join(" ");
}

/** Quotes a word for a shell. */
function shellWord(word: string): string {
  return /^[\w@%+=:,./\\-]+$/.test(word) ? word : JSON.stringify(word);
}
