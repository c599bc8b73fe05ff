import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { basename, dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { quantile } from "@espalier/bench/measure";
import { EspalierError } from "@espalier/core";
import { encodeModel } from "@espalier/formats";
import { chromiumPath, launchChromium } from "@espalier/runtimes/chromium";
import { litertFolder, litertVersion } from "@espalier/runtimes/litert-node";
import type { CDPSession, Page } from "playwright-core";
import { rolldown } from "rolldown";
import type { CompareOptions, PreparedSubject } from "../compare.ts";
import type { PeerRun } from "../results.ts";
import type { Offers } from "./page.ts";

type InPage = { readonly offers: Offers };

/** A page in Chromium in which runtimes made for pages take turns. */
export interface BrowserBench {
  /** Peers in the page, and the browser, each with one line about it. */
  readonly peers: readonly { readonly name: string; readonly detail: string }[];
  /**
   * Times forecasts, dense and pruned. Milliseconds are the processor time of the page's thread: nothing that other
   * programs do is counted.
   */
  compare(
    subject: PreparedSubject,
    batch: number,
    options: Pick<CompareOptions, "timing" | "onProgress">,
  ): Promise<PeerRun>;
  close(): Promise<void>;
}

/** Variants that are worth a page's time. */
const variants = ["dense", "unstructured-90", "channels-50", "combined-80"];

const require = createRequire(import.meta.url);
const folders: Readonly<Record<string, string>> = {
  litert: litertFolder,
  onnxruntime: dirname(require.resolve("onnxruntime-web")),
};
const types: Readonly<Record<string, string>> = {
  "": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
};

/** Opens the page. Throws an EspalierError where there is no Chromium. */
export async function openBrowser(): Promise<BrowserBench> {
  if (chromiumPath === undefined)
    throw new EspalierError("there is no /usr/bin/chromium. Name one with CHROMIUM.");
  const files = new Map<string, Uint8Array | string>([
    [
      "",
      `<!doctype html><html data-litert="${litertVersion}"><script type="module" src="/page.js"></script>`,
    ],
    ["page.js", await bundlePage()],
  ]);
  const server = createServer(async ({ url = "/" }, response) => {
    const [, folder = "", name = ""] = url.split("/");
    const content =
      folder in folders
        ? await readFile(join(folders[folder]!, basename(name))).catch(() => undefined)
        : files.get(decodeURIComponent(folder));
    if (content === undefined) response.writeHead(404).end();
    else
      response
        .writeHead(200, { "content-type": types[extname(url)] ?? "application/octet-stream" })
        .end(content);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const browser = await launchChromium();
  const close = async () => {
    await browser.close();
    server.close();
  };
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    await page.waitForFunction(() => "offers" in globalThis);
    const session = await page.context().newCDPSession(page);
    await session.send("Performance.enable");
    const peers = await page.evaluate(() => (globalThis as unknown as InPage).offers.peers());
    const detail = `Chromium ${browser.version()} without a window: processor time of the page's thread`;
    return {
      peers: [...peers, { name: "browser", detail }],
      compare: async (subject, batch, { timing, onProgress }) => {
        const where = `${subject.name}, in Chromium, batch ${batch}`;
        onProgress?.(`${where}: loading`);
        try {
          const { entrants, agreement } = await load(page, files, peers, subject, batch);
          onProgress?.(`${where}: ${entrants.length} take turns`);
          const entries = await time(page, session, entrants, timing);
          return { model: subject.name, batch, task: "browser", entries, agreement };
        } finally {
          await page.evaluate(() => (globalThis as unknown as InPage).offers.dispose());
        }
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function bundlePage(): Promise<string> {
  const bundle = await rolldown({
    input: fileURLToPath(new URL("page.ts", import.meta.url)),
    platform: "browser",
    resolve: { conditionNames: ["@espalier/source", "browser", "import"] },
    external: ["onnxruntime-node", "onnxruntime-web"],
    logLevel: "silent",
  });
  try {
    const { output } = await bundle.generate({ format: "esm", codeSplitting: false });
    return output[0].code;
  } finally {
    await bundle.close();
  }
}

interface Entrant {
  readonly peer: string;
  readonly variant: string;
  /** Number in the page. */
  readonly id: number;
}

/** Loads every variant for the peers that have a use for it. */
async function load(
  page: Page,
  files: Map<string, Uint8Array | string>,
  peers: readonly { readonly name: string; readonly sparse: boolean }[],
  { models }: PreparedSubject,
  batch: number,
): Promise<{ entrants: Entrant[]; agreement: PeerRun["agreement"] }> {
  const entrants: Entrant[] = [];
  const agreement: PeerRun["agreement"] = [];
  for (const { variant, model } of models.filter(({ variant: { id } }) => variants.includes(id))) {
    files.set(variant.id, encodeModel(model));
    await page.evaluate(([url, size]) => (globalThis as unknown as InPage).offers.open(url, size), [
      `/${variant.id}`,
      batch,
    ] as const);
    files.delete(variant.id);
    for (const { name: peer } of peers.filter(({ sparse }) => sparse || !variant.masked)) {
      const { id, error } = await page.evaluate(
        (name) => (globalThis as unknown as InPage).offers.load(name),
        peer,
      );
      entrants.push({ peer, variant: variant.id, id });
      agreement.push({ peer, variant: variant.id, error: Number.isFinite(error) ? error : null });
    }
  }
  return { entrants, agreement };
}

/** Processor time a run, in milliseconds; entrants take turns, every other round in reverse. */
async function time(
  page: Page,
  session: CDPSession,
  entrants: readonly Entrant[],
  { time: whole, rounds = 7 }: CompareOptions["timing"],
): Promise<PeerRun["entries"]> {
  // The page's own thread runs everything; the process's time comes in steps of 10 ms.
  const processorTime = async () => {
    const { metrics } = await session.send("Performance.getMetrics");
    return 1000 * metrics.find(({ name }) => name === "ThreadTime")!.value;
  };
  const spent = async (id: number, times: number) => {
    const before = await processorTime();
    await page.evaluate(([one, count]) => (globalThis as unknown as InPage).offers.run(one, count), [
      id,
      times,
    ] as const);
    return (await processorTime()) - before;
  };
  const share = whole / rounds;
  const turns: { entrant: Entrant; times: number; rounds: number[] }[] = [];
  for (const entrant of entrants) {
    // Once to be compiled, then as often as fits into a turn.
    let [times, took] = [1, await spent(entrant.id, 3)];
    while (took < share / 2) {
      times *= 2;
      took = await spent(entrant.id, times);
    }
    turns.push({ entrant, times: Math.max(1, Math.round((times * share) / took)), rounds: [] });
  }
  for (let round = 0; round < rounds; round++) {
    for (const turn of round % 2 === 0 ? turns : turns.toReversed())
      turn.rounds.push((await spent(turn.entrant.id, turn.times)) / turn.times);
  }
  return turns.map(({ entrant: { peer, variant }, times, rounds: all }) => {
    const spread = (quantile(all, 0.75) - quantile(all, 0.25)) / 2;
    const timing = { median: quantile(all, 0.5), spread, samples: times * rounds };
    return { peer, variant, alone: false, timing, rounds: all as [number, ...number[]] };
  });
}
