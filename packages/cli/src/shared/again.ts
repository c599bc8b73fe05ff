import type { Context } from "../context.ts";

/** The command line that goes on with what this one was stopped in. */
export function resumingCommand({ argv }: Context): string {
  const again = argv.filter((word) => word !== "--force" && word !== "--resume");
  return ["espalier", ...again, "--resume"].map(shellWord).join(" ");
}

/** A word as a shell takes it back. */
function shellWord(word: string): string {
  return /^[\w@%+=:,./\\-]+$/.test(word) ? word : JSON.stringify(word);
}
