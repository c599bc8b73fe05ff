import { createHash } from "node:crypto";
import { EspalierError } from "@espalier/core";
import type { Database } from "./database.ts";

/** Bytes of a part. */
const portion = 4 * 2 ** 20;

/** Content in the database, by the SHA-256 of its bytes in hexadecimal. */
export class Objects {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Stores bytes, if they are not there yet; gives their name. */
  async put(bytes: Uint8Array): Promise<string> {
    const name = sha256(bytes);
    const known = await this.#database.query("SELECT 1 FROM espalier.object WHERE sha256 = $1", [name]);
    if (known.count > 0) return name;
    await this.#database.transaction(async (client) => {
      const made = await client.query(
        "INSERT INTO espalier.object (sha256, bytes) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        [name, bytes.length],
      );
      if (made.count === 0) return;
      for (let part = 0; part * portion < bytes.length; part++) {
        const { buffer, byteOffset } = bytes.subarray(part * portion);
        const length = Math.min(portion, bytes.length - part * portion);
        await client.query("INSERT INTO espalier.object_part VALUES ($1, $2, $3)", [
          name,
          part,
          Buffer.from(buffer, byteOffset, length),
        ]);
      }
    });
    return name;
  }

  /**
   * Bytes by name; undefined if there are none. Throws a DamagedObject if they are not what the name says.
   */
  async get(name: string): Promise<Uint8Array | undefined> {
    const { rows } = await this.#database.query<{ bytes: string }>(
      "SELECT bytes FROM espalier.object WHERE sha256 = $1",
      [name],
    );
    if (rows[0] === undefined) return undefined;
    const bytes = new Uint8Array(Number(rows[0].bytes));
    for (let part = 0; part * portion < bytes.length; part++) {
      const found = await this.#database.query<{ content: Buffer }>(
        "SELECT content FROM espalier.object_part WHERE sha256 = $1 AND part = $2",
        [name, part],
      );
      const content = found.rows[0]?.content;
      if (content === undefined || part * portion + content.length > bytes.length)
        throw new DamagedObject(name);
      bytes.set(content, part * portion);
    }
    if (sha256(bytes) !== name) throw new DamagedObject(name);
    return bytes;
  }

  /** Takes damaged content out, so that it can be stored again; cells lose the model that it was. */
  async drop(name: string): Promise<void> {
    await this.#database.transaction(async (client) => {
      await client.query("UPDATE espalier.cell SET model = NULL WHERE model = $1", [name]);
      await client.query("DELETE FROM espalier.object WHERE sha256 = $1", [name]);
    });
  }
}

/** Stored bytes do not have the checksum that they are named by. */
export class DamagedObject extends EspalierError {
  constructor(name: string) {
    super(`queue: the stored content ${name.slice(0, 12)} is damaged: its checksum does not match.`);
  }
}

/** SHA-256 in hexadecimal. */
export function sha256(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}
