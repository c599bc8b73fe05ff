import { CommanderError } from "commander";
import { commands } from "./commands/index.ts";
import type { Context } from "./context.ts";

/** An error as the one line that a user sees. */
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
  // The system's own errors (no space, no permission) say enough; anything else is a mistake of ours.
  if ("syscall" in error) return `${error.message}.`;
  return `unexpected ${error.name}: ${error.message}. This is a mistake in Espalier; --debug shows where. Please report it.`;
}

/** Commander's message in our form: names in double quotes, the nearest name behind them, where to look. */
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
