import { EspalierError } from "@espalier/core/inference";

/** The parts of Node's `process` and `node:zlib` that are used here; Deno and Bun have them, too. */
interface Platform {
  getBuiltinModule?(name: "node:zlib"): {
    gzipSync(bytes: Uint8Array, options: { readonly level: number }): Uint8Array;
    gunzipSync(bytes: Uint8Array): Uint8Array;
  };
}

const zlib = () => (globalThis as { readonly process?: Platform }).process?.getBuiltinModule?.("node:zlib");

/** Bytes with gzip, or undefined on platforms that only do so asynchronously. */
export function gzip(bytes: Uint8Array): Uint8Array | undefined {
  const packed = zlib()?.gzipSync(bytes, { level: 9 });
  // The tenth byte names the operating system.
  packed?.set([255], 9);
  return packed;
}

/** The reverse of {@link gzip}, in Node, Deno and Bun. Throws an EspalierError elsewhere, and for damaged bytes. */
export function gunzip(packed: Uint8Array, file: string): Uint8Array {
  const platform = zlib();
  if (platform === undefined)
    throw new EspalierError(
      `${file} is packed: in a page, decodeModelOnDemand reads it, decodeModel does not.`,
    );
  try {
    return platform.gunzipSync(packed);
  } catch {
    throw damaged(file);
  }
}

/** The same, everywhere. */
export async function gunzipAnywhere(packed: Uint8Array, file: string): Promise<Uint8Array> {
  const stream = new Blob([packed as Uint8Array<ArrayBuffer>])
    .stream()
    .pipeThrough(new DecompressionStream("gzip"));
  try {
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch {
    throw damaged(file);
  }
}

function damaged(file: string): Error {
  return new EspalierError(`${file}: its packed part is damaged.`);
}
