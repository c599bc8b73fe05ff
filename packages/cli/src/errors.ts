import { CommanderError } from "commander";
import { commands } from "./commands/index.ts";
import type { Context } from "./context.ts";

/** Formats an error as the one line that a user sees. */
export function errorLine(error: unknown, context: Context): string {
  const message = oneLine(messageOf(error, context));
  return `${context.noteColors.red("espalier:")} ${message}`;
}

function messageOf(error: unknown, { signal, argv }: Context): string {
  if (signal.aborted && (error === signal.reason || (error as Error)?.name === "AbortError"))
    return "stopped.";
  if (error instanceof CommanderError) return usage(error, argv);
  if (!(error instanceof Error)) return String(error);
  if (error.name === "EspalierError") return error.message;
  // System errors (no space, no permission) speak for themselves; anything else is a bug of ours.
  if ("syscall" in error) return `${error.message}.`;
  return `unexpected ${error.name}: ${error.message}. This is a bug in Espalier; --debug shows where. Please report it.`;
}

/** Rewords a Commander message: names in double quotes, the nearest known name, and where to look. */
function usage(error: CommanderError, argv: readonly string[]): string {
  const message = oneLine(error.message)
    .replace(/^error: /, "")
    .replace(/ ?\(Did you mean (one of )?(.+?)\?\)$/, (_, _several, names: string) => {
      const quoted = names.split(", ").map((name) => `"${name}"`);
      return `. Did you mean ${quoted.join(" or ")}?`;
    })
    .replaceAll("'", '"');
  const command = commands.find(({ name }) => argv.includes(name))?.name;
  const help = ["espalier", ...(command === undefined ? [] : [command]), "--help"].join(" ");
  return `${/[.?]$/.test(message) ? message : `${message}.`} See ${help}.`;
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, " ").trim();
}
