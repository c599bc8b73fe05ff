import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { digest, EspalierError, type Json, type Model } from "@espalier/core";
import { refuseNewerFormat, sha256 } from "@espalier/core/documents";
import { encodeModel } from "@espalier/formats";
import { loadModel, makeFolder, writeFileAtomically } from "@espalier/formats/node";
import { TrainingCheckpoint } from "@espalier/training";
import type { RunCheckpoint } from "../run/checkpoint.ts";

/** The names of the files of a run, and its state that does not need them. */
interface StoredRun {
  readonly format: 1;
  readonly run: string;
  readonly outcomes: RunCheckpoint["outcomes"];
  readonly dense: string;
  readonly pruned?: string;
  readonly model: string;
  /** State of the current fit. */
  readonly training?: string;
}

const index = "run.json";

/**
 * Keeps an unfinished run in its own folder, so that it survives the process whenever that is killed: models by their
 * contents, the state of the current fit, and an index that is replaced last.
 */
export class RunStore {
  readonly #folder: string;
  /** Names of models that are already written. */
  #written = new WeakMap<Model, string>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Saves the state of a run. */
  async save(checkpoint: RunCheckpoint): Promise<void> {
    const { run, outcomes, dense, pruned, model, training } = checkpoint;
    await makeFolder(this.#folder);
    const before = await this.#read();
    const fit = training && {
      bytes: training.encode(),
      // Two names in turn: the index never names a file that is being replaced.
      name: before?.training === "fit-a.safetensors" ? "fit-b.safetensors" : "fit-a.safetensors",
    };
    if (fit !== undefined) await this.#write(fit.name, fit.bytes);
    const stored: StoredRun = {
      format: 1,
      run,
      outcomes,
      dense: await this.#model(dense),
      ...(pruned && { pruned: await this.#model(pruned) }),
      model: await this.#model(model),
      ...(fit && { training: fit.name }),
    };
    await this.#write(index, new TextEncoder().encode(`${JSON.stringify(stored, null, 1)}\n`));
    await this.#sweepOut(stored);
  }

  /** Loads the state of a run; undefined if there is none. Throws an EspalierError if the folder is damaged. */
  async load(): Promise<RunCheckpoint | undefined> {
    const stored = await this.#read();
    if (stored === undefined) return undefined;
    const models = new Map<string, Model>();
    const modelOf = async (name: string): Promise<Model> => {
      const known = models.get(name) ?? (await loadModel(join(this.#folder, name)));
      models.set(name, known);
      this.#written.set(known, name);
      return known;
    };
    const { run, outcomes, dense, pruned, model, training } = stored;
    return {
      run,
      outcomes,
      dense: await modelOf(dense),
      pruned: pruned === undefined ? undefined : await modelOf(pruned),
      model: await modelOf(model),
      training:
        training === undefined
          ? undefined
          : TrainingCheckpoint.decode(new Uint8Array(await readFile(join(this.#folder, training))), training),
    };
  }

  /** Deletes the folder, once the run is done. */
  async clear(): Promise<void> {
    if ((await this.#read().catch(() => undefined)) === undefined) return;
    await rm(this.#folder, { recursive: true, force: true });
    this.#written = new WeakMap();
  }

  async #model(model: Model): Promise<string> {
    const known = this.#written.get(model);
    if (known !== undefined) return known;
    const history = sha256(new TextEncoder().encode(JSON.stringify(model.history as Json))).slice(0, 8);
    const name = `${digest(model).slice(0, 16)}-${history}.safetensors`;
    await this.#write(name, encodeModel(model));
    this.#written.set(model, name);
    return name;
  }

  async #write(name: string, bytes: Uint8Array): Promise<void> {
    await writeFileAtomically(join(this.#folder, name), bytes, { force: true });
  }

  async #read(): Promise<StoredRun | undefined> {
    const path = join(this.#folder, index);
    const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    if (text === undefined) return undefined;
    const damaged = new EspalierError(
      `${path}: the unfinished run is damaged. Delete its folder to start again.`,
    );
    let stored: Partial<StoredRun>;
    try {
      stored = JSON.parse(text);
    } catch {
      throw damaged;
    }
    refuseNewerFormat(stored, "unfinished run", path);
    const files = [stored.dense, stored.model, stored.pruned ?? "", stored.training ?? ""];
    // Our names contain no separators, so nothing outside the folder is read.
    const named = files.every((file) => typeof file === "string" && /^[\w.-]*$/.test(file));
    if (typeof stored.run !== "string" || !Array.isArray(stored.outcomes) || !named) throw damaged;
    return stored as StoredRun;
  }

  /** Files that no step needs any more. */
  async #sweepOut({ dense, pruned, model, training }: StoredRun): Promise<void> {
    const kept = new Set([index, dense, pruned, model, training]);
    for (const file of await readdir(this.#folder))
      if (file.endsWith(".safetensors") && !kept.has(file)) await rm(join(this.#folder, file));
  }
}
