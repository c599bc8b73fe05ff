import { globSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { launchChromium } from "@espalier/runtimes/chromium";
import type { Browser } from "playwright-core";

/** The site's folder, and where `docs:build` writes it. */
export const site: string = fileURLToPath(new URL("..", import.meta.url));
export const dist: string = join(site, ".vitepress", "dist");

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};
const compressed = new Set([".html", ".js", ".mjs", ".css", ".json", ".svg", ".wasm"]);

export interface Server {
  /** Where the site begins, with a slash at the end. */
  readonly url: string;
  /** Bytes sent so far, as compressed. */
  readonly sent: () => number;
  readonly close: () => Promise<void>;
}

/** What any static host does: files of a folder below a path, gzipped, 404 for the rest. */
export async function serve(folder: string, base = "/"): Promise<Server> {
  let sent = 0;
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const path = decodeURIComponent(pathname);
    const inside = path.startsWith(base) ? join(folder, normalize(`/${path.slice(base.length)}`)) : undefined;
    const file = inside?.endsWith("/") ? join(inside, "index.html") : inside;
    if (file === undefined || !(await stat(file).catch(() => undefined))?.isFile()) {
      response.writeHead(404).end();
      return;
    }
    const kind = extname(file);
    const plain = await readFile(file);
    const body = compressed.has(kind) ? gzipSync(plain) : plain;
    sent += body.length;
    response
      .writeHead(200, {
        "content-type": types[kind] ?? "application/octet-stream",
        ...(compressed.has(kind) ? { "content-encoding": "gzip" } : {}),
      })
      .end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}${base}`,
    sent: () => sent,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** Every page of a built site, as a path below its base. */
export function pagesOf(folder: string): string[] {
  return globSync("**/*.html", { cwd: folder })
    .filter((path) => path !== "404.html")
    .sort();
}

export const launch = (): Promise<Browser> => launchChromium(["--enable-unsafe-webgpu"]);
