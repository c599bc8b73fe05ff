import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { EspalierError } from "@espalier/core";
import { writeFileAtomically } from "@espalier/formats/node";
import type { RunCheckpoint } from "@espalier/recipe";
import { RunStore } from "@espalier/recipe/node";
import type { Spent } from "./clock.ts";

/** A cell that was stopped: where it was, and the time until then. */
export interface Stopped {
  readonly checkpoint: RunCheckpoint;
  readonly spent: Spent;
}

/** Storage for the state of a long cell, epoch by epoch. */
export interface Unfinished {
  /** The state that a stopped process left; undefined if there is none, or it cannot be read. */
  load(): Promise<Stopped | undefined>;
  save(stopped: Stopped): Promise<void>;
  /** Forgets the state: the cell is done. */
  clear(): Promise<void>;
}

/** The state of an unfinished cell in a folder of its own. */
export class UnfinishedFolder implements Unfinished {
  readonly #run: RunStore;
  readonly #spent: string;

  constructor(folder: string) {
    this.#run = new RunStore(folder);
    this.#spent = join(folder, "spent.json");
  }

  async load(): Promise<Stopped | undefined> {
    try {
      const checkpoint = await this.#run.load();
      if (checkpoint === undefined) return undefined;
      return { checkpoint, spent: JSON.parse(await readFile(this.#spent, "utf8")) as Spent };
    } catch (error) {
      // Damaged, or files are missing: the cell starts again, with the same result.
      if (error instanceof EspalierError || error instanceof SyntaxError || isFileError(error))
        return undefined;
      throw error;
    }
  }

  async save({ checkpoint, spent }: Stopped): Promise<void> {
    await this.#run.save(checkpoint);
    await writeFileAtomically(this.#spent, new TextEncoder().encode(`${JSON.stringify(spent)}\n`), {
      force: true,
    });
  }

  clear(): Promise<void> {
    return this.#run.clear();
  }
}

function isFileError(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).syscall !== undefined;
}
