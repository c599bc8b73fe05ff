import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { stripTypeScriptTypes } from "node:module";
import type { AddressInfo } from "node:net";
import { posix } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../../../", import.meta.url));

/** Sources of a package's entries, as the page asks for them. */
function entriesOf(folder: string): Record<string, string> {
  const { name, exports } = JSON.parse(readFileSync(`${root}${folder}/package.json`, "utf8"));
  return Object.fromEntries(
    Object.entries<Record<string, string>>(exports).flatMap(([entry, { "@espalier/source": source }]) =>
      source === undefined ? [] : [[posix.join(name, entry), `/${posix.join(folder, source)}`]],
    ),
  );
}

const imports = { ...entriesOf("packages/core"), ...entriesOf("packages/backends/wasm") };

/** No bundler: the page names where packages lie, and the browser loads their modules one by one. */
const html = `<!doctype html>
<meta charset="utf-8">
<title>Conformance</title>
<script type="importmap">${JSON.stringify({ imports })}</script>
<script type="module">
  import { backendChecks } from "@espalier/core/testing";
  import { wasm } from "@espalier/backend-wasm";
  import { noLimits } from "/packages/backends/wasm/src/threads/divide/limits.ts";
  import { wasmWith } from "/packages/backends/wasm/src/wasm.ts";

  globalThis.availability = (options) => wasm(options).availability();
  globalThis.conformance = async (options) => {
    const failures = [];
    const checks = backendChecks(wasmWith(options, noLimits));
    for (const check of checks) {
      await check.run().catch((error) => failures.push(check.name + ": " + error.message));
    }
    return { checks: checks.length, failures };
  };
</script>
`;

/** What a page needs to share memory among threads. */
const isolation = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
};

export interface Site {
  /** A page without headers, and one with those that isolate it. */
  readonly plain: string;
  readonly isolated: string;
  readonly close: () => Promise<void>;
}

/** Serves the page, and the sources of packages with their types taken out. */
export async function servePage(): Promise<Site> {
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url!, "http://localhost");
    if (pathname === "/" || pathname === "/isolated") {
      const more = pathname === "/" ? {} : isolation;
      response.writeHead(200, { "content-type": "text/html; charset=utf-8", ...more }).end(html);
      return;
    }
    const source = /^\/packages\/[\w/-]+\.ts$/.test(pathname)
      ? await readFile(root + pathname, "utf8").catch(() => undefined)
      : undefined;
    if (source === undefined) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { "content-type": "text/javascript" }).end(stripTypeScriptTypes(source));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  return {
    plain: `${url}/`,
    isolated: `${url}/isolated`,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
