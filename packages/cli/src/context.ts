import { isAbsolute, resolve } from "node:path";
import picocolors from "picocolors";

export type Colors = ReturnType<typeof picocolors.createColors>;

/** A destination for text, such as a Node stream. */
export interface Output {
  /** Writes text unchanged; the result is ignored. */
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** The environment of a run; the process's own by default. */
export interface RunOptions {
  readonly stdout?: Output;
  readonly stderr?: Output;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** The folder that relative paths start from. */
  readonly cwd?: string;
  /** Stops the run: a command that can saves its work first, others end at once. */
  readonly signal?: AbortSignal;
}

/** The environment that commands work with. Code below it never looks at the process. */
export interface Context {
  readonly argv: readonly string[];
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  /** Colours for stdout and for stderr; no effect if the output is not a terminal or NO_COLOR is set. */
  readonly colors: Colors;
  readonly noteColors: Colors;
  /** Resolves a path that the user gave against the working directory; unchanged if that is the process's own. */
  path(given: string): string;
  /** Prints results: lines on stdout. */
  print(lines: readonly string[]): void;
  /** Prints anything else: a line on stderr. */
  note(line: string): void;
  /** From here on the command handles the signal itself and ends in an orderly way; `tell` announces that it is stopping. */
  endsInOrder(tell: (line: string) => void): void;
  readonly inOrder: boolean;
}

export function createContext(argv: readonly string[], options: RunOptions = {}): Context {
  const { stdout = process.stdout, stderr = process.stderr, env = process.env } = options;
  const { cwd, signal = new AbortController().signal } = options;
  let inOrder = false;
  return {
    argv,
    stdout,
    stderr,
    env,
    signal,
    colors: colorsFor(stdout, env),
    noteColors: colorsFor(stderr, env),
    path: (given) => (cwd === undefined || isAbsolute(given) ? given : resolve(cwd, given)),
    print: (lines) => void stdout.write(lines.map((line) => `${line}\n`).join("")),
    note: (line) => void stderr.write(`${line}\n`),
    endsInOrder(tell) {
      inOrder = true;
      const onAbort = () => tell("stopping; Ctrl-C again quits at once");
      signal.addEventListener("abort", onAbort, { once: true });
    },
    get inOrder() {
      return inOrder;
    },
  };
}

/** https://no-color.org and https://force-color.org. */
function colorsFor(output: Output, env: Context["env"]): Colors {
  if (env.NO_COLOR) return picocolors.createColors(false);
  if (env.FORCE_COLOR) return picocolors.createColors(true);
  return picocolors.createColors(output.isTTY === true && env.TERM !== "dumb");
}
