import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { EspalierError } from "@espalier/core";
import { makeFolder, writeFileAtomically } from "@espalier/formats/node";
import { readReference } from "./cells.ts";
import { DamagedObject, type Objects, sha256 } from "./objects.ts";

/** Users' own files on a worker, as far as its cells need them. */
export class Files {
  readonly #folder: string;
  readonly #objects: Objects;

  constructor(folder: string, objects: Objects) {
    this.#folder = folder;
    this.#objects = objects;
  }

  /** The path of a file that a cell names; fetched if it is not here, its checksum verified in any case. */
  async path(name: string): Promise<string> {
    const { checksum, file } = readReference(name);
    const folder = join(this.#folder, checksum);
    const path = join(folder, file);
    const here = await readFile(path).catch(() => undefined);
    if (here !== undefined && sha256(here) === checksum) return path;
    const bytes = await this.#objects.get(checksum).catch(async (error: unknown) => {
      if (error instanceof DamagedObject) await this.#objects.drop(checksum);
      else throw error;
    });
    if (bytes === undefined)
      throw new EspalierError(
        `queue: the file ${file} is not stored, or was damaged. Start the sweep or search again, which stores it.`,
      );
    await makeFolder(folder);
    await writeFileAtomically(path, bytes, { force: true });
    return path;
  }
}
