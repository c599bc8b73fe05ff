import { isAbsolute, resolve } from "node:path";
import picocolors from "picocolors";

export type Colors = ReturnType<typeof picocolors.createColors>;

/** Where text goes; a Node stream fits. */
export interface Output {
  /** Takes text as it is; what it gives back is not looked at. */
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** What a run is given from outside; the process's own by default. */
export interface RunOptions {
  readonly stdout?: Output;
  readonly stderr?: Output;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** What relative paths are relative to. */
  readonly cwd?: string;
  /** Stops what runs: a command that can keeps what it has, others end at once. */
  readonly signal?: AbortSignal;
}

/** What every command works with. Nothing below it looks at the process. */
export interface Context {
  readonly argv: readonly string[];
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  /** For stdout, and for stderr; without effect where the output is no terminal, or NO_COLOR is set. */
  readonly colors: Colors;
  readonly noteColors: Colors;
  /** A path as the user gave it, made absolute where the working directory is not the process's own. */
  path(given: string): string;
  /** Results: lines on stdout. */
  print(lines: readonly string[]): void;
  /** Everything else: a line on stderr. */
  note(line: string): void;
  /** From here on the command ends by itself, and in order, when the signal comes; `tell` says that it was heard. */
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
      const heard = () => tell("stopping; Ctrl-C again quits at once");
      signal.addEventListener("abort", heard, { once: true });
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
