import { type FileHandle, open, realpath } from "node:fs/promises";
import { dirname, join, sep } from "node:path";
import { EspalierError, type Model } from "@espalier/core";
import { decode } from "../onnx/import/decode.ts";
import { attach, Claims, type ExternalRange, externalRanges } from "../onnx/import/external.ts";
import { locatedIn, type OnnxImportOptions, readDecoded } from "../onnx/import/read.ts";
import { shown } from "../onnx/import/text.ts";
import { type ProgressOptions, readBytes } from "./files.ts";

/** Options of readOnnx, except the file's name and the content of external files, which are known. */
export type LoadOnnxOptions = Omit<OnnxImportOptions, "name" | "external"> & ProgressOptions;

/**
 * Reads an ONNX model file, see readOnnx. External data is read from the file's own folder and its subfolders, and from
 * nowhere else, even through links.
 */
export async function loadOnnx(
  path: string,
  { onProgress, ...options }: LoadOnnxOptions = {},
): Promise<Model> {
  const bytes = await readBytes(path, "ONNX file", { ...(onProgress && { onProgress }) });
  const name = `ONNX file ${path}`;
  const file = locatedIn(name, () => decode(bytes));
  const ranges = locatedIn(name, () => externalRanges(file.model));
  const opened = new Map<string, FileHandle>();
  const claims = new Claims();
  try {
    for (const [i, range] of ranges.entries()) {
      const handle = opened.get(range.location) ?? (await openBeside(path, range, name));
      opened.set(range.location, handle);
      const { size } = await handle.stat();
      locatedIn(name, () => claims.add(range, size));
      const content = await readRange(handle, range, name);
      locatedIn(name, () => attach(range, content));
      onProgress?.((i + 1) / ranges.length);
    }
  } finally {
    for (const handle of opened.values()) await handle.close();
  }
  return readDecoded(file, { ...options, name });
}

async function openBeside(
  path: string,
  { tensor, location }: ExternalRange,
  name: string,
): Promise<FileHandle> {
  const where = `${name}: tensor ${shown(tensor.name)}`;
  const folder = await realpath(dirname(path));
  try {
    const target = await realpath(join(folder, location));
    if (!target.startsWith(folder.endsWith(sep) ? folder : folder + sep)) {
      throw new EspalierError(
        `${where}: ${shown(location)} is outside the model's folder, so it is not read.`,
      );
    }
    const handle = await open(target);
    if ((await handle.stat()).isFile()) return handle;
    await handle.close();
    throw new EspalierError(`${where}: ${shown(location)} is not a file.`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") {
      throw new EspalierError(
        `${where}: its data is in ${shown(location)}, which does not exist. Put it next to the model.`,
      );
    }
    if (code === "EACCES" || code === "EPERM")
      throw new EspalierError(`${where}: ${shown(location)} cannot be read (no permission).`);
    throw error;
  }
}

/** Reads the bytes of one tensor, which the file is long enough for. */
async function readRange(handle: FileHandle, range: ExternalRange, name: string): Promise<Uint8Array> {
  const { location, offset, length } = range;
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; ) {
    const { bytesRead } = await handle.read(bytes, at, length - at, offset + at);
    if (bytesRead === 0)
      throw new EspalierError(`${name}: ${shown(location)} became shorter while it was read.`);
    at += bytesRead;
  }
  return bytes;
}
