import { EspalierError } from "@espalier/core";
import { shown } from "../onnx/import/text.ts";
import { extract, listEntries } from "../zip.ts";

/** The files of a `torch.save` archive, by their names below its root folder. */
export interface Archive {
  /** Returns a copy of a file's bytes. Throws an EspalierError if it is missing or damaged. */
  read(file: string): Promise<Uint8Array>;
}

/**
 * Maximum number of bytes that may be read from an archive of some size. Weights hardly shrink when they are packed: a
 * small file that unpacks to far more is not a checkpoint.
 */
export function maxUnpacked(fileBytes: number): number {
  return 64 * 1024 + 16 * fileBytes;
}

const oldFormat = [0x80, 0x02, 0x8a, 0x0a];

/** Opens the zip archive that PyTorch ≥ 1.6 writes. Throws an EspalierError for anything else. */
export async function openArchive(bytes: Uint8Array, where: string): Promise<Archive> {
  if (oldFormat.every((byte, i) => bytes[i] === byte)) {
    throw new EspalierError(
      `${where}: saved by PyTorch before 1.6. Load it in a newer version, and save its state dict again.`,
    );
  }
  const entries = await listEntries(
    bytes,
    () => `${where}: it is neither safetensors nor a PyTorch checkpoint, or it is truncated.`,
  );
  const pickle = [...entries.keys()].find((name) => name === "data.pkl" || name.endsWith("/data.pkl"));
  if (pickle === undefined) {
    throw new EspalierError(
      `${where}: a zip archive, but not one that torch.save wrote (it has no data.pkl).`,
    );
  }
  const root = pickle.slice(0, -"data.pkl".length);
  if (entries.has(`${root}constants.pkl`)) {
    throw new EspalierError(
      `${where}: a TorchScript archive. Save model.state_dict() with torch.save instead.`,
    );
  }
  let left = maxUnpacked(bytes.length);
  const archive: Archive = {
    async read(file) {
      const entry = entries.get(root + file);
      if (entry === undefined)
        throw new EspalierError(`${where}: the archive has no ${shown(file)}: it is damaged.`);
      left -= entry.uncompressedSize;
      if (!(left >= 0))
        throw new EspalierError(
          `${where}: it unpacks to more than 16 times its size, which weights do not. Save the state dict again with torch.save.`,
        );
      return extract(entry, bytes.length, `${where}: ${shown(file).slice(1, -1)}`);
    },
  };
  if (entries.has(`${root}byteorder`)) {
    const order = new TextDecoder().decode(await archive.read("byteorder"));
    if (order !== "little")
      throw new EspalierError(`${where}: its numbers are ${order}-endian; only little-endian is supported.`);
  }
  return archive;
}
