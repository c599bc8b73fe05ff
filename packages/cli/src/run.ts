import { unknownName } from "@espalier/core/documents";
import { Command, CommanderError, Help, type Option } from "commander";
import { commands } from "./commands/index.ts";
import { type Context, createContext, type RunOptions } from "./context.ts";
import { errorLine } from "./errors.ts";
import { version } from "./version.ts";

/**
 * Runs the command with arguments (without `node` and the script) and returns the exit code: 0, 1 after one line on
 * stderr that says what was wrong, or 130 if the signal stopped it. Never throws, never exits the process.
 */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<number> {
  const context = createContext(argv, options);
  try {
    refuseUnknownTopic(argv);
    const program = await createProgram(context);
    await orInterrupted(
      program.parseAsync(argv.length === 0 ? ["--help"] : [...argv], { from: "user" }),
      context,
    );
    return 0;
  } catch (error) {
    // Help and the version end this way too.
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    context.note(errorLine(error, context));
    if (context.env.ESPALIER_DEBUG || argv.includes("--debug")) context.note(stackOf(error));
    return context.signal.aborted ? interrupted : 1;
  }
}

/** `espalier help NAME`, of which Commander shows the list of commands if there is no such. */
function refuseUnknownTopic([first, topic]: readonly string[]): void {
  if (first !== "help" || topic === undefined || topic.startsWith("-")) return;
  const known = ["help", ...commands.map(({ name }) => name)];
  if (!known.includes(topic)) throw unknownName("command", topic, known);
}

/** Where an error came from, and those that it came from. */
function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { stack = "", cause } = error;
  return cause === undefined ? stack : `${stack}\ncaused by ${stackOf(cause)}`;
}

/** The exit code that shells expect from a command ended by Ctrl-C. */
const interrupted = 130;

/** Creates the program. Only the named commands load their options. */
async function createProgram(context: Context): Promise<Command> {
  const { colors, stdout, stderr } = context;
  const program: Command = new Command("espalier")
    .description("Prunes time-series transformers, and proves what was gained.")
    .version(version, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void stdout.write(text),
      writeErr: (text) => void stderr.write(text),
      outputError: () => {},
      getOutHelpWidth: () => Math.min(stdout.columns ?? 80, 100),
      getOutHasColors: () => colors.isColorSupported,
    })
    .configureHelp({
      optionDescription: describe,
      styleTitle: (text) => colors.bold(text),
      styleOptionText: (text) => colors.cyan(text),
      styleSubcommandText: (text) => colors.cyan(text),
      // Shows `espalier train [options]`, not the list of all commands' arguments.
      subcommandTerm: (command) =>
        command.parent === program ? command.name() : plain.subcommandTerm(command),
    })
    .addHelpText("after", "\nRun espalier <command> --help for a command's options and examples.");
  for (const { name, summary, load } of commands) {
    const command = program.command(name).summary(summary).description(summary);
    if (context.argv.includes(name)) await (await load()).define(command, context);
  }
  return program;
}

const plain = new Help();

/** An option's description, choices and default. */
function describe({ description, argChoices, defaultValue }: Option): string {
  const choices = argChoices === undefined ? "" : `: ${argChoices.join(", ")}`;
  const fallback = typeof defaultValue === "string" ? ` (${defaultValue})` : "";
  return `${description}${choices}${fallback}`;
}

/** Waits for the work, or ends at once on the signal if the command does not end in order by itself. */
async function orInterrupted<T>(work: Promise<T>, context: Context): Promise<T> {
  const { signal } = context;
  return Promise.race([
    work,
    new Promise<never>((_, reject) => {
      const stop = () => {
        if (!context.inOrder) reject(signal.reason);
      };
      if (signal.aborted) stop();
      else signal.addEventListener("abort", stop, { once: true });
    }),
  ]);
}
