import { spawn } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { run } from "./run.ts";

/** A package registry on this machine's loopback address. */
export interface LocalRegistry {
  readonly url: string;
  /** Lines of an `.npmrc` with which npm and pnpm install from it and publish to it. */
  readonly npmrc: string;
  readonly close: () => Promise<void>;
}

/** Verdaccio, and the one package below it that asks for a tag instead of a version, which not every mirror has. */
const manifest = {
  private: true,
  dependencies: { verdaccio: "6.10.4" },
  overrides: { "verdaccio-audit": { "node-fetch": "2.7.0" } },
};

/** Starts Verdaccio in a folder. Packages of Espalier are its own; all others it fetches from npm's configured registry. */
export async function startRegistry(folder: string): Promise<LocalRegistry> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "package.json"), JSON.stringify(manifest));
  await run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"], { cwd: folder });
  const above = (await run(["npm", "config", "get", "registry"], { cwd: folder })).trim();
  const port = await freePort();
  const config = {
    storage: join(folder, "storage"),
    auth: { htpasswd: { file: join(folder, "htpasswd"), max_users: 1 } },
    uplinks: { above: { url: above, timeout: "120s", maxage: "1h" } },
    packages: {
      "@espalier/*": { access: "$all", publish: "$authenticated" },
      espalier: { access: "$all", publish: "$authenticated" },
      "**": { access: "$all", proxy: "above" },
    },
    max_body_size: "100mb",
    middlewares: {},
    log: { type: "stdout", level: "error" },
  };
  await writeFile(join(folder, "config.yaml"), JSON.stringify(config));
  const entry = join(folder, "node_modules/verdaccio/bin/verdaccio");
  const args = [entry, "--config", join(folder, "config.yaml"), "--listen", `127.0.0.1:${port}`];
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
  let complaint = "";
  child.stderr.on("data", (text) => {
    complaint += text;
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const url = `http://127.0.0.1:${port}/`;
  while (!(await fetch(`${url}-/ping`).catch(() => undefined))?.ok) {
    if (child.exitCode !== null) throw new Error(`Verdaccio did not start: ${complaint.trim()}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const token = await addUser(url);
  return {
    url,
    npmrc: `registry=${url}\n//127.0.0.1:${port}/:_authToken=${token}\n`,
    close: async () => {
      child.kill();
      await ended;
    },
  };
}

async function addUser(url: string): Promise<string> {
  const user = { name: "rehearsal", password: "rehearsal-only", type: "user", roles: [] };
  const response = await fetch(`${url}-/user/org.couchdb.user:rehearsal`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(user),
  });
  const { token } = (await response.json()) as { token?: string };
  if (token === undefined) throw new Error(`Verdaccio gives no token (${response.status}).`);
  return token;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** The registry's own packages: name, version, and bytes of the tarball. */
export async function published(
  { url }: LocalRegistry,
  names: readonly string[],
): Promise<{ name: string; version: string; bytes: number }[]> {
  return Promise.all(
    names.map(async (name) => {
      const response = await fetch(`${url}${name.replace("/", "%2f")}`);
      if (!response.ok) throw new Error(`${name} was not published (${response.status}).`);
      const packument = (await response.json()) as {
        "dist-tags": { latest: string };
        versions: Record<string, { dist: { tarball: string } }>;
      };
      const version = packument["dist-tags"].latest;
      const tarball = await fetch(packument.versions[version]!.dist.tarball);
      return { name, version, bytes: (await tarball.arrayBuffer()).byteLength };
    }),
  );
}

/** Names of the packages of a workspace that are published. */
export async function publicNames(manifests: readonly string[]): Promise<string[]> {
  const all = await Promise.all(manifests.map(async (path) => JSON.parse(await readFile(path, "utf8"))));
  return all.flatMap(({ name, private: hidden }) => (hidden ? [] : [name as string])).sort();
}
