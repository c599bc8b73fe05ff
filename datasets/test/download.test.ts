import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { type DownloadProgress, download, loadDataset } from "../src/node/index.ts";
import { temporaryFolder } from "./files.ts";

const bytes = Buffer.from(`a,b\n${"1,2\n".repeat(50_000)}`);
const sha256 = createHash("sha256").update(bytes).digest("hex");

async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/a.csv`;
}

async function target() {
  const folder = join(await temporaryFolder(), "new", "folder");
  return { folder, to: join(folder, "a.csv") };
}

describe("a download", () => {
  it("arrives whole, with progress, and leaves nothing else", async () => {
    const { folder, to } = await target();
    const address = await serve((_, response) => {
      response.setHeader("content-length", bytes.length);
      response.end(bytes);
    });
    const progress: DownloadProgress[] = [];
    await download({ name: "a", address, sha256, to, onProgress: (p) => progress.push(p) });
    expect(await readFile(to)).toEqual(bytes);
    expect(await readdir(folder)).toEqual(["a.csv"]);
    expect(progress.at(-1)).toEqual({ received: bytes.length, total: bytes.length });
    expect(progress.map((p) => p.received)).toEqual(progress.map((p) => p.received).sort((a, b) => a - b));
  });

  it("does without a total where the server gives none", async () => {
    const { to } = await target();
    const address = await serve((_, response) => response.end(bytes));
    let total: number | undefined = 1;
    await download({
      name: "a",
      address: address,
      sha256,
      to,
      onProgress: (p) => {
        total = p.total;
      },
      fetch: async (...request) => {
        const response = await fetch(...request);
        return new Response(response.body);
      },
    });
    expect(total).toBeUndefined();
  });

  it("with other bytes is deleted, and says both checksums", async () => {
    const { folder, to } = await target();
    await mkdir(folder, { recursive: true });
    await writeFile(to, "as it was");
    const address = await serve((_, response) => response.end("something else"));
    const other = createHash("sha256").update("something else").digest("hex");
    await expect(download({ name: "a", address, sha256, to })).rejects.toThrow(
      `data a: ${address} gave 14 bytes with sha256 ${other}, expected ${sha256}. They were deleted.`,
    );
    expect(await readdir(folder)).toEqual(["a.csv"]);
    expect(await readFile(to, "utf8")).toBe("as it was");
  });

  it("cut short is deleted, and says how far it came", async () => {
    const { folder, to } = await target();
    let cut: (() => void) | undefined;
    const address = await serve((_, response) => {
      response.setHeader("content-length", bytes.length);
      response.write(bytes.subarray(0, 1000));
      cut = () => response.destroy();
    });
    // Cut once the first bytes are there, so that how far it came is known.
    await expect(download({ name: "a", address, sha256, to, onProgress: () => cut?.() })).rejects.toThrow(
      `data a: stopped after 1000 of ${bytes.length} bytes from ${address}`,
    );
    expect(await readdir(folder)).toEqual([]);
  });

  it("aborted is deleted, and throws the signal's reason", async () => {
    const { folder, to } = await target();
    const stop = new AbortController();
    const address = await serve((_, response) => {
      response.setHeader("content-length", bytes.length);
      response.write(bytes.subarray(0, 1000));
    });
    const reason = new Error("enough");
    const running = download({
      name: "a",
      address,
      sha256,
      to,
      signal: stop.signal,
      onProgress: () => stop.abort(reason),
    });
    await expect(running).rejects.toBe(reason);
    expect(await readdir(folder)).toEqual([]);
  });

  it("refused by the server, or without one, says where to put the file by hand", async () => {
    const { to } = await target();
    const missing = await serve((_, response) => response.writeHead(404).end());
    await expect(download({ name: "a", address: missing, sha256, to })).rejects.toThrow(
      `data a: ${missing} answered 404 Not Found. Or fetch it by hand and put it at ${to}`,
    );
    const nobody = "http://127.0.0.1:1/a.csv";
    await expect(download({ name: "a", address: nobody, sha256, to })).rejects.toThrow(
      `data a: could not be fetched from ${nobody}`,
    );
  });

  it("that cannot be written says so in one line", async () => {
    const { folder } = await target();
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "file"), "");
    await expect(
      download({ name: "a", address: "http://127.0.0.1:1", sha256, to: join(folder, "file", "a.csv") }),
    ).rejects.toThrow("data a: could not be written");
  });
});

describe("a data set that is nowhere on this machine", () => {
  it("is asked for at its public address, and not kept where its checksum is wrong", async () => {
    const cache = await temporaryFolder();
    const address = await serve((_, response) => response.end("something else"));
    const asked: string[] = [];
    const mirror: typeof fetch = (input, init) => {
      asked.push(String(input));
      return fetch(address, init);
    };
    await expect(loadDataset("exchange_rate", { folder: cache, cache, fetch: mirror })).rejects.toThrow(
      "sha256",
    );
    expect(asked).toEqual([
      expect.stringMatching(/^https:\/\/raw\.githubusercontent\.com\/.*exchange_rate\.csv$/),
    ]);
    expect(await readdir(join(cache, "datasets"))).toEqual([]);
  });

  it("is not asked for offline", async () => {
    const cache = await temporaryFolder();
    await expect(loadDataset("ETTh1", { folder: cache, cache, offline: true })).rejects.toThrow(
      /^data ETTh1: is not on this machine, and offline forbids to fetch it. Fetch https:.*ETTh1.csv by hand and put it at .*ETTh1.csv, or into a folder that ESPALIER_DATA names.$/,
    );
  });
});
