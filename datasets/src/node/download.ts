import { createHash, randomUUID } from "node:crypto";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { EspalierError } from "@espalier/core";
import { largestFile } from "./csv.ts";

/** How far a download is, in bytes. */
export interface DownloadProgress {
  readonly received: number;
  /** Absent if the server does not say. */
  readonly total?: number | undefined;
}

/** A download: source and destination. */
export interface DownloadOptions {
  /** Name of the data in messages. */
  readonly name: string;
  readonly address: string;
  /** The SHA-256 that the bytes must have, in hexadecimal. */
  readonly sha256: string;
  /** The file to write. Its folder is made if need be. */
  readonly to: string;
  /** Stops the download; what was written of it is deleted. */
  readonly signal?: AbortSignal | undefined;
  /** Called after every piece that arrives. */
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
  /** Takes the place of the global `fetch`, for a proxy or a mirror. */
  readonly fetch?: typeof fetch | undefined;
}

/**
 * Fetches a file and checks it. The bytes go to a `.part` file beside the target, which takes the target's name only
 * when all of them have arrived and their checksum is right; otherwise it is deleted, and the target stays as it was.
 *
 * @throws EspalierError if the server refuses, the bytes stop early or are not those pinned; the signal's reason
 * after an abort.
 */
export async function download(options: DownloadOptions): Promise<void> {
  const { name, address, to, signal } = options;
  const part = `${to}.${randomUUID().slice(0, 8)}.part`;
  const progress = { received: 0, total: undefined as number | undefined };
  try {
    await mkdir(dirname(to), { recursive: true });
    const found = await receive(options, part, progress);
    if (found !== options.sha256) {
      throw new EspalierError(
        `data ${name}: ${address} gave ${progress.received} bytes with sha256 ${found}, expected ${options.sha256}. They were deleted. Try again; if it stays so, the source has changed: put the right file into a folder that ESPALIER_DATA names.`,
      );
    }
    await rename(part, to);
  } catch (error) {
    await rm(part, { force: true }).catch(() => {});
    signal?.throwIfAborted();
    throw describe(error, options, progress);
  }
}

async function receive(
  o: DownloadOptions,
  part: string,
  progress: { received: number; total: number | undefined },
) {
  // Without this the server may compress, and its length is then not the file's.
  const headers = { "accept-encoding": "identity" };
  const response = await (o.fetch ?? fetch)(o.address, { headers, ...(o.signal && { signal: o.signal }) });
  if (!response.ok || response.body === null) {
    await response.body?.cancel();
    throw new EspalierError(
      `data ${o.name}: ${o.address} answered ${response.status} ${response.statusText}. ${byHand(o)}`,
    );
  }
  const length = Number(response.headers.get("content-length") ?? Number.NaN);
  const encoded = (response.headers.get("content-encoding") ?? "identity") !== "identity";
  progress.total = Number.isSafeInteger(length) && !encoded ? length : undefined;

  const hash = createHash("sha256");
  const file = await open(part, "wx");
  try {
    for await (const piece of response.body as AsyncIterable<Uint8Array>) {
      progress.received += piece.length;
      if (progress.received > largestFile) {
        throw new EspalierError(
          `data ${o.name}: ${o.address} gives more than ${largestFile} bytes, which is the limit.`,
        );
      }
      hash.update(piece);
      await file.writeFile(piece);
      o.onProgress?.({ ...progress });
    }
  } finally {
    await file.close();
  }
  return hash.digest("hex");
}

function describe(error: unknown, o: DownloadOptions, progress: DownloadProgress): unknown {
  if (error instanceof EspalierError || !(error instanceof Error)) return error;
  if (!(error instanceof TypeError)) {
    return "syscall" in error
      ? new EspalierError(`data ${o.name}: could not be written: ${error.message}.`, { cause: error })
      : error;
  }
  // fetch reports all that goes wrong on the network as a TypeError, and says in its cause what it was.
  const cause = error.cause instanceof Error ? error.cause : error;
  const reason = "code" in cause ? String(cause.code) : cause.message;
  const of = progress.total === undefined ? "" : ` of ${progress.total}`;
  const what =
    progress.received === 0
      ? `could not be fetched from ${o.address}`
      : `stopped after ${progress.received}${of} bytes from ${o.address}`;
  return new EspalierError(`data ${o.name}: ${what} (${reason}). Try again. ${byHand(o)}`, { cause: error });
}

function byHand({ to }: DownloadOptions): string {
  return `Or fetch it by hand and put it at ${to}, or into a folder that ESPALIER_DATA names.`;
}
