import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { run } from "../src/index.ts";

/** What a run of the command left behind. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RanIn {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal;
  /** As if stderr were a terminal of this width. */
  readonly columns?: number;
  /** Called with everything that is written to stderr, as it is written. */
  readonly onNote?: (text: string) => void;
}

/** Runs the command in this process. */
export async function espalier(args: readonly string[], options: RanIn = {}): Promise<Ran> {
  const { cwd, signal, columns, onNote, env = {} } = options;
  let [stdout, stderr] = ["", ""];
  const code = await run(args, {
    stdout: {
      write(text) {
        stdout += text;
      },
    },
    stderr: {
      write(text) {
        stderr += text;
        onNote?.(text);
      },
      ...(columns === undefined ? {} : { isTTY: true, columns }),
    },
    env,
    ...(cwd === undefined ? {} : { cwd }),
    ...(signal === undefined ? {} : { signal }),
  });
  return { code, stdout, stderr };
}

/** Words of a command line without quotes. */
export function words(line: string): string[] {
  return line.split(" ").filter((word) => word !== "");
}

/** A folder that is deleted after the test, or after all where it is made outside one. */
export async function temporaryFolder(
  after: (remove: () => Promise<void>) => void = onTestFinished,
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "espalier-cli-"));
  after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A tiny iTransformer on the embedded series: seconds become milliseconds. */
export const tinyModel: readonly string[] = words(
  "--model iTransformer --set width=32 --set feedForward=64 --set heads=4 --set layers=1 --input-length 24 --horizon 6",
);
export const tinyTraining: readonly string[] = words(
  "--learning-rate 0.005 --batches-per-epoch 6 --batch-size 16",
);

/** `train … --out FILE` of the tiny model. */
export function tinyTrain(out: string, more = ""): string[] {
  return ["train", ...tinyModel, ...tinyTraining, ...words(`--epochs 2 --out ${out} ${more}`)];
}
