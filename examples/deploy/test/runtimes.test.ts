import { type ChildProcess, execFile, spawn } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { stripTypeScriptTypes } from "node:module";
import { type AddressInfo, createServer as createSocket } from "node:net";
import { tmpdir } from "node:os";
import { extname, join, parse } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { forecastingDataOf, loadSynthetic, withData } from "@espalier/datasets";
import { createForecaster } from "@espalier/forecaster";
import { encodeModel, roundWeights } from "@espalier/formats";
import { patchTST } from "@espalier/models";
import { build, version as esbuildVersion } from "esbuild";
import { type Browser, chromium, firefox as playwrightFirefox, webkit } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { programs, runtimes } from "../runtimes.ts";
import { installForecaster } from "./installed.ts";

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), "espalier-deploy-"));
const at = (...path: string[]) => join(folder, ...path);
let expected: number[];
let rows: number[][];

beforeAll(async () => {
  cpSync(fileURLToPath(new URL("../src", import.meta.url)), folder, { recursive: true });
  await writeFile(at("package.json"), JSON.stringify({ private: true, type: "module" }));
  installForecaster(folder);
  const lengths = { inputLength: 24, horizon: 6 };
  const loaded = await loadSynthetic({ rows: 200, series: 3 });
  const model = patchTST({ ...lengths, series: 3, width: 8, feedForward: 8, heads: 2, layers: 1 }).initialize(
    1,
  );
  // A packed file, which every engine unpacks in its own way.
  const bytes = encodeModel(roundWeights(withData(model, forecastingDataOf(loaded, lengths)), "int8"));
  const { values, columns } = loaded.table;
  rows = Array.from({ length: 30 }, (_, row) => [
    ...values.subarray(row * columns.length, (row + 1) * columns.length),
  ]);
  await writeFile(at("model.safetensors"), bytes);
  await writeFile(at("rows.json"), JSON.stringify(rows));
  const forecaster = await createForecaster(bytes);
  expected = [...(await forecaster.forecast(rows)).values];
  forecaster.dispose();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Engines may round a last digit differently; the forecast is the same. */
function expectForecast(values: readonly number[]): void {
  expect(values).toHaveLength(expected.length);
  values.forEach((value, i) => {
    expect(value).toBeCloseTo(expected[i]!, 4);
  });
}

/** A program of a package in the cache; undefined if it is not there. */
function programOf(name: keyof typeof programs): string | undefined {
  const suffix = process.platform === "win32" ? ".exe" : "";
  return programs[name].map((path) => join(runtimes, "node_modules", path) + suffix).find(existsSync);
}

declare module "vitest" {
  interface TaskMeta {
    /** Runtime, version and file of a test: a row of the table in the guide. */
    ran?: readonly [runtime: string, version: string, file: string];
  }
}

/** A test of what only the cache has; its name says how to get it. It gives the version that forecast, if any did. */
function whereThere(
  present: boolean,
  name: string,
  file: string,
  test: () => Promise<string | undefined>,
): void {
  const why = present ? "" : " (skipped: not in the cache; node examples/deploy/runtimes.ts gets it)";
  // Building with Next takes half a minute where nothing else runs.
  it.skipIf(!present)(`${name}${why}`, { timeout: 300_000 }, async ({ task }) => {
    const version = await test();
    if (version !== undefined) task.meta.ran = [name, version, file];
  });
}

async function versionOf(program: string): Promise<string> {
  return /\d[\d.-]*/.exec((await run(program, ["--version"])).stdout)![0];
}

describe("device.js forecasts in", () => {
  const commands: Record<string, readonly (string | undefined)[]> = {
    "Node 24": [process.version.startsWith("v24.") ? process.execPath : undefined],
    "Node 22": [programOf("node-22")],
    "Node 26": [programOf("node-26")],
    Deno: [programOf("deno"), "run", "--allow-read", "--no-remote", "--node-modules-dir=manual"],
    Bun: [programOf("bun"), "--no-install"],
  };
  for (const [name, [program, ...options]] of Object.entries(commands)) {
    whereThere(program !== undefined, name, "device.js", async () => {
      const args = [...(options as string[]), "device.js", "model.safetensors", "rows.json"];
      const { stdout } = await run(program!, args, { cwd: folder });
      expectForecast(JSON.parse(stdout));
      return versionOf(program!);
    });
  }
});

whereThere(
  programOf("node-20") !== undefined,
  "Node 20 is told which Node the command needs",
  "",
  async () => {
    const main = await readFile(new URL("../../../packages/cli/src/main.ts", import.meta.url), "utf8");
    await writeFile(at("main.js"), stripTypeScriptTypes(main));
    const { code, stderr } = await run(programOf("node-20")!, ["main.js"], { cwd: folder }).then(
      () => ({ code: 0, stderr: "" }),
      (error: { code: number; stderr: string }) => error,
    );
    expect(stderr).toMatch(/^espalier: needs Node 22\.12 or newer; this is Node 20\.[\d.]+\.\n$/);
    expect(code).toBe(1);
    return undefined;
  },
);

describe("edge.js answers in", () => {
  const workerd = programOf("workerd");
  whereThere(workerd !== undefined, "Cloudflare workerd", "edge.js", async () => {
    const out = at("edge");
    await build({
      absWorkingDir: folder,
      entryPoints: ["edge.js"],
      bundle: true,
      format: "esm",
      outdir: out,
      loader: { ".wasm": "copy", ".safetensors": "copy" },
      assetNames: "[name]",
    });
    cpSync(at("edge.capnp"), join(out, "edge.capnp"));
    const port = await freePort();
    const child = spawn(workerd!, ["serve", "edge.capnp", `--socket-addr=http=127.0.0.1:${port}`], {
      cwd: out,
    });
    try {
      for (let call = 0; call < 2; call++) {
        const answer = await post(`http://127.0.0.1:${port}/`, child);
        expectForecast(await answer.json());
      }
    } finally {
      child.kill();
    }
    return versionOf(workerd!);
  });
});

/** Posts the rows, as soon as somebody listens. Throws an Error with what a process said that ended before. */
async function post(url: string, child: ChildProcess): Promise<Response> {
  let said = "";
  child.stderr?.on("data", (text) => {
    said += text;
  });
  for (;;) {
    const answer = await fetch(url, { method: "POST", body: JSON.stringify(rows) }).catch(() => undefined);
    if (answer?.ok) return answer;
    if (answer !== undefined) throw new Error(`${url} answers ${answer.status}: ${said}`);
    if (child.exitCode !== null) throw new Error(said);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const socket = createSocket().listen(0, "127.0.0.1", () => {
      const { port } = socket.address() as AddressInfo;
      socket.close(() => resolve(port));
    });
  });
}

let server: Server;
let site: string;
/** Bodies sent by pages that the test cannot inspect, by path. */
const sent = new Map<string, string>();

/** Gzipped kilobytes of JavaScript, kernels within, that were asked for, by folder. */
const loaded = new Map<string, number>();

const types: Record<string, string> = { ".js": "text/javascript", ".json": "application/json" };
const documents: Record<string, string> = {
  "/page/": '<script type="module" src="page.js"></script>',
  "/alone/": `<script type="module">
    import "./page.js";
    await fetch("sent", { method: "POST", body: document.querySelector("output").value });
  </script>`,
};

beforeAll(async () => {
  server = createServer(async (request, response) => {
    const path = new URL(request.url!, "http://localhost").pathname;
    if (path.endsWith("/sent")) {
      sent.set(path, await text(request));
      response.end();
    } else if (path.endsWith("/") && !existsSync(at(path, "index.html"))) {
      const kind = Object.keys(documents).find((one) => path.startsWith(one)) ?? "";
      response.setHeader("content-type", "text/html");
      response.end(`<!doctype html><output></output>${documents[kind] ?? ""}`);
    } else {
      const body = await readFile(at(path.endsWith("/") ? `${path}index.html` : path)).catch(() => undefined);
      if (body !== undefined && extname(path) === ".js") {
        const folder = path.split("/", 3).join("/");
        loaded.set(folder, (loaded.get(folder) ?? 0) + gzipSync(body, { level: 9 }).length / 1000);
      }
      response.writeHead(body === undefined ? 404 : 200, {
        "content-type": types[extname(path)] ?? "text/html",
      });
      response.end(body);
    }
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  site = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());

/** Bundles a file into a folder of the site, beside the model and the rows. */
async function place(name: string, bundle: (out: string) => Promise<unknown>): Promise<string> {
  await bundle(at(name));
  for (const file of ["model.safetensors", "rows.json"]) cpSync(at(file), at(name, file));
  return `${site}/${name}/`;
}

const byEsbuild =
  (entry: string, format: "esm" | "iife", splitting = false) =>
  (outdir: string) =>
    build({
      ...{
        absWorkingDir: folder,
        entryPoints: [entry],
        outdir,
        bundle: true,
        minify: true,
        format,
        splitting,
      },
    });

/** A page that says itself what it forecasts, in a browser that the test cannot look into. */
async function readAlone(name: string, program: string, args: readonly string[]): Promise<void> {
  const url = await place(`alone/${name}`, byEsbuild("page.js", "esm", true));
  const child = spawn(program, [...args, url], { detached: true });
  try {
    while (!sent.has(`/alone/${name}/sent`)) {
      if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expectForecast(sent.get(`/alone/${name}/sent`)!.split(" ").map(Number));
  } finally {
    // The whole group: a browser's own processes, and the screen that xvfb-run made.
    process.kill(-child.pid!);
  }
}

const firefox = [process.env.FIREFOX ?? "/usr/bin/firefox-esr"].find(existsSync);
const noFirefox = firefox === undefined ? " (skipped: no /usr/bin/firefox-esr; name one with FIREFOX)" : "";

it.skipIf(firefox === undefined)(`a page in Firefox${noFirefox}`, async ({ task }) => {
  await readAlone("firefox", firefox!, [
    "--headless",
    "--no-remote",
    "--profile",
    mkdtempSync(at("profile-")),
  ]);
  const browser = `firefox ${await versionOf(firefox!)}`;
  task.meta.ran = ["a page, bundled by esbuild", `${esbuildVersion}, ${browser}`, "page.js"];
});

/** WebKitGTK's own small browser (Debian: webkit2gtk-driver), which needs a screen (xvfb). */
const webkitGtk = [
  process.env.WEBKIT ??
    `/usr/lib/${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu/webkit2gtk-4.1/MiniBrowser`,
].find(existsSync);
const screen = "/usr/bin/xvfb-run";
const noWebkit =
  webkitGtk === undefined || !existsSync(screen)
    ? " (skipped: apt-get install webkit2gtk-driver xvfb xauth, or name a MiniBrowser with WEBKIT)"
    : "";

it.skipIf(noWebkit !== "")(`a page in WebKit${noWebkit}`, async ({ task }) => {
  const onScreen = ["--auto-servernum", webkitGtk!];
  await readAlone("webkit", screen, onScreen);
  const { stdout } = await run(screen, [...onScreen, "--version"]);
  const browser = `WebKitGTK ${/\d[\d.]*/.exec(stdout)![0]}`;
  task.meta.ran = ["a page, bundled by esbuild", `${esbuildVersion}, ${browser}`, "page.js"];
});

/** Debian's Chromium, or the one of Playwright's own browsers that `ESPALIER_BROWSER` names. */
const { ESPALIER_BROWSER: own, CHROMIUM = "/usr/bin/chromium" } = process.env;
const engine = { chromium, firefox: playwrightFirefox, webkit }[own ?? "chromium"];
const there = own !== undefined || existsSync(CHROMIUM);
const why = there ? "" : " (skipped: no /usr/bin/chromium; name one with CHROMIUM)";

describe.skipIf(!there)(`in a browser${why}`, () => {
  let browser: Browser;
  let version: string;

  beforeAll(async () => {
    browser = await engine!.launch(
      own === undefined ? { executablePath: CHROMIUM, chromiumSandbox: false } : {},
    );
    version = `${engine!.name()} ${browser.version()}`;
  });
  afterAll(() => browser?.close());

  async function openPage(url: string) {
    const page = await browser.newPage();
    const errors: string[] = [];
    page.on("pageerror", ({ message }) => errors.push(message));
    await page.goto(url);
    return { page, errors };
  }

  async function readPage(url: string): Promise<void> {
    const { page, errors } = await openPage(url);
    await page
      .waitForFunction(() => document.querySelector("output")!.value !== "")
      .catch(({ message }: Error) => {
        throw new Error([message, ...errors].join("\n"));
      });
    const values = await page.evaluate(() => document.querySelector("output")!.value);
    expectForecast(values.split(" ").map(Number));
    await page.close();
  }

  /** Bundlers of the cache are imported from there. */
  const cached = (name: string) => join(runtimes, "node_modules", name);
  const manifestOf = async (name: string) =>
    JSON.parse(await readFile(join(cached(name), "package.json"), "utf8"));
  const load = async (name: string) => {
    const { exports, main, module } = await manifestOf(name);
    const entry =
      exports?.["."]?.import?.default ?? exports?.["."]?.import ?? exports?.["."] ?? module ?? main;
    return import(pathToFileURL(join(cached(name), typeof entry === "string" ? entry : main)).href);
  };

  const bundlers: Record<string, (out: string) => Promise<unknown>> = {
    esbuild: byEsbuild("page.js", "esm", true),
    vite: async (outDir) => {
      const vite = await load("vite");
      return vite.build({
        root: folder,
        configFile: false,
        logLevel: "silent",
        build: {
          outDir,
          modulePreload: { polyfill: false },
          rollupOptions: { input: at("page.js"), output: { entryFileNames: "page.js" } },
          target: "esnext",
        },
      });
    },
    rollup: async (dir) => {
      const [{ rollup }, { nodeResolve }] = await Promise.all([
        load("rollup"),
        load("@rollup/plugin-node-resolve"),
      ]);
      const bundle = await rollup({
        input: at("page.js"),
        plugins: [nodeResolve({ browser: true })],
        logLevel: "silent",
      });
      return bundle.write({ dir, format: "es" });
    },
    webpack: async (path) => {
      const { default: webpack } = await load("webpack");
      const compiler = webpack({
        mode: "production",
        context: folder,
        entry: "./page.js",
        output: { path, filename: "page.js" },
        performance: false,
      });
      const stats = await promisify(compiler.run.bind(compiler))();
      if ((stats as { hasErrors(): boolean }).hasErrors()) throw new Error(`${stats}`);
    },
  };
  /** Next's own bundler, Turbopack: a static site with a page that runs `page.js`. */
  bundlers.next = async (out) => {
    for (const name of ["next", "react", "react-dom"])
      symlinkSync(cached(name), at("node_modules", name), "junction");
    const root = JSON.stringify(parse(folder).root);
    await writeFile(
      at("next/next.config.js"),
      // What is linked lies outside the folder.
      `export default { output: "export", basePath: "/page/next", turbopack: { root: ${root} }, outputFileTracingRoot: ${root} };`,
    );
    const env = { ...process.env, NODE_ENV: "production", NEXT_TELEMETRY_DISABLED: "1" };
    await run(process.execPath, [join(cached("next"), "dist/bin/next"), "build"], { cwd: at("next"), env });
    cpSync(at("next/out"), out, { recursive: true });
  };

  for (const [name, bundle] of Object.entries(bundlers)) {
    const present = name === "esbuild" || existsSync(cached(name));
    const file = name === "next" ? "next/app/page.js" : "page.js";
    whereThere(present, `a page, bundled by ${name}`, file, async () => {
      await readPage(await place(`page/${name}`, bundle));
      const kilobytes = loaded.get(`/page/${name}`)!;
      console.log(`a page, bundled by ${name}: ${kilobytes.toFixed(1)} kB gzip`);
      // Rollup alone makes nothing shorter, and Next brings React.
      if (name !== "rollup" && name !== "next") expect(kilobytes).toBeLessThan(55);
      const bundler = name === "esbuild" ? esbuildVersion : (await manifestOf(name)).version;
      return `${bundler}, ${version}`;
    });
  }

  whereThere(true, "a worker", "worker.js", async () => {
    const { page } = await openPage(await place("worker", byEsbuild("worker.js", "esm", true)));
    const values = await page.evaluate(async () => {
      const worker = new Worker("worker.js", { type: "module" });
      const answer = new Promise<number[]>((resolve, reject) => {
        worker.onmessage = ({ data }) => resolve([...data]);
        worker.onerror = ({ message }) => reject(new Error(message));
      });
      worker.postMessage(await (await fetch("rows.json")).json());
      return answer;
    });
    expectForecast(values);
    await page.close();
    return version;
  });

  const formats = { classic: "iife", module: "esm" };
  for (const [type, format] of Object.entries(formats) as [WorkerType, "esm" | "iife"][]) {
    whereThere(true, `a ${type} service worker`, "service-worker.js", async () => {
      const { page } = await openPage(await place(`service-${type}`, byEsbuild("service-worker.js", format)));
      const values = await page.evaluate(async (type) => {
        const taken = new Promise((resolve) =>
          navigator.serviceWorker.addEventListener("controllerchange", resolve),
        );
        await navigator.serviceWorker.register("service-worker.js", { type });
        await taken;
        const body = await (await fetch("rows.json")).text();
        const answer = await fetch("forecast", { method: "POST", body });
        return answer.json() as Promise<number[]>;
      }, type);
      expectForecast(values);
      await page.close();
      return version;
    });
  }
});
