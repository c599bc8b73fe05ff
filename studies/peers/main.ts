/**
 * Espalier's own backend against other runtimes, one thread each, taking turns in this process and in Chromium:
 * `pnpm bench:peers`. Writes peers.json, peers.md and the speed-up curves (SVG, PNG).
 */

import { existsSync } from "node:fs";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { kernelSize } from "@espalier/backend-wasm";
import { machine } from "@espalier/bench";
import { EspalierError } from "@espalier/core";
import { unknownName } from "@espalier/core/documents";
import { readBytes, writeFolderAtomically } from "@espalier/formats/node";
import { createRegistry } from "@espalier/recipe/standard";
import { drawFigures, toMarkdown } from "@espalier/report";
import { litertInNode, litertVersion } from "@espalier/runtimes/litert-node";
import { runScript } from "../script.ts";
import { type BrowserBench, openBrowser } from "./browser/browser.ts";
import {
  agrees,
  backendPeer,
  compareCompiling,
  compareForecasts,
  compareThreads,
  compareTraining,
  mergePeerResults,
  own,
  ownOnTwoThreads,
  type Peer,
  type PeerResults,
  type PeerRun,
  parsePeerResults,
  peersDocument,
  peersSummaryLines,
  prepareSubject,
  randomSubjects,
  selectVariants,
  sizesOf,
  type Task,
  trainedSubjects,
  verdicts,
} from "./index.ts";
import { litert } from "./litert.ts";
import { onnxruntime } from "./onnxruntime.ts";
import { pytorch } from "./pytorch.ts";

const usage = `pnpm bench:peers [options]
  --quick             few samples: to see that all works, not to quote
  --models a,b        of iTransformer, PatchTST, Crossformer (all)
  --batches 1,3,32    batch sizes (1,3,32)
  --variants a,b      families or ids, such as unstructured,4x1-50 (all)
  --peers a,b         of wasm, tfjs-wasm, onnxruntime-web, litert.js, onnxruntime-node, pytorch (all)
  --tasks a,b         of forecast, browser, training, compile, threads (all)
  --trained           also checkpoints trained on ETTh1, masked by magnitude (../shared/reference/trained)
  --from a,b          draw results measured before, of one machine and one commit, and measure nothing
  --processor NAME    the processor, where its own name says little: "AMD EPYC (Zen 5)"
  --out FOLDER        espalier-out/peers; what is there is replaced`;

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");

async function main(): Promise<void> {
  const { values: flags } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      trained: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
      models: { type: "string" },
      batches: { type: "string", default: "1,3,32" },
      variants: { type: "string" },
      peers: { type: "string" },
      tasks: { type: "string" },
      from: { type: "string" },
      processor: { type: "string" },
      out: { type: "string", default: "espalier-out/peers" },
    },
  });
  if (flags.help) {
    console.log(usage);
    return;
  }
  await checkFolder(flags.out);
  const measured = flags.from === undefined ? await measure(flags) : await readBack(flags.from);
  const { environment } = measured;
  const results = {
    ...measured,
    environment: { ...environment, processor: flags.processor ?? environment.processor },
  };
  await write(results, flags.out);
  const missed = verdicts(results).some(({ met }) => met === false);
  const wrong = results.runs.some((run) => run.agreement.some((a) => !agrees(run, a.peer, a.variant)));
  if (missed || wrong || results.failures.length > 0) process.exitCode = 1;
}

/** Results of one run, or of several that measured parts of it. */
async function readBack(paths: string): Promise<PeerResults> {
  const parts: PeerResults[] = [];
  for (const path of paths.split(","))
    parts.push(parsePeerResults(new TextDecoder().decode(await readBytes(path, "results")), path));
  return mergePeerResults(parts);
}

/** Only what this script wrote is replaced. Asked before anything is measured. */
async function checkFolder(out: string): Promise<void> {
  const names = await readdir(out).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === "ENOENT") return [];
    if (error.code === "ENOTDIR") throw new EspalierError(`${out} is a file. Give the name of a folder.`);
    throw error;
  });
  if (names.length > 0 && !names.includes("peers.json"))
    throw new EspalierError(`${out} holds something else than a comparison. Give another folder.`);
}

interface Flags {
  readonly quick: boolean;
  readonly trained: boolean;
  readonly models?: string | undefined;
  readonly batches: string;
  readonly variants?: string | undefined;
  readonly peers?: string | undefined;
  readonly tasks?: string | undefined;
}

async function measure(flags: Flags): Promise<PeerResults> {
  const timing = flags.quick ? { time: 120, samples: 3, rounds: 3 } : { time: 1650, samples: 11, rounds: 11 };
  const registry = createRegistry();
  const peers = await availablePeers(registry, flags.peers);
  const trained = join(root, "../shared/reference/trained");
  if (flags.trained && !existsSync(trained))
    throw new EspalierError(`there are no trained checkpoints in ${trained}.`);
  const all = [...randomSubjects(), ...(flags.trained ? trainedSubjects(trained, registry) : [])];
  const wanted = flags.variants?.split(",");
  const subjects = choose(flags.models, all, "model").map((subject) => ({
    ...subject,
    variants: selectVariants(wanted, subject.variants),
  }));
  const tasks = choose(
    flags.tasks,
    ["forecast", "browser", "training", "compile", "threads"].map((name) => ({ name })),
    "task",
  );
  const does = (task: string) => tasks.some(({ name }) => name === task);
  const browser = does("browser") ? await availableBrowser() : undefined;
  const batches = flags.batches.split(",").map(Number);
  if (!batches.every((batch) => Number.isInteger(batch) && batch > 0))
    throw new EspalierError(`--batches ${flags.batches}: give whole numbers, such as 1,3,32.`);
  const threads = peers
    .filter(({ name }) => name === own)
    .flatMap((one) => [one, backendPeer(registry.backend(ownOnTwoThreads), true)]);
  const options = {
    peers: peers.filter(({ tasks }) => tasks.includes("forecast")),
    oracle: onnxruntime("node"),
    alone: peers.find(({ name }) => name === "onnxruntime-node"),
    timing,
    onProgress: (text: string) => console.error(text),
  };
  const results: Pick<PeerResults, "sizes" | "runs" | "failures"> = { sizes: [], runs: [], failures: [] };
  /** A failure costs this run only: the others took their time. */
  const attempt = async (
    model: string,
    batch: number,
    task: Task,
    run: () => Promise<PeerRun | PeerRun[]>,
  ): Promise<void> => {
    try {
      results.runs.push(...[await run()].flat());
    } catch (error) {
      console.error(`${model}, batch ${batch}, ${task}: ${(error as Error).message}`);
      results.failures.push({ model, batch, task, error: (error as Error).message });
    }
  };
  for (const subject of subjects) {
    console.error(`${subject.name}: pruning`);
    const prepared = await prepareSubject(subject);
    const { name } = subject;
    results.sizes.push(...sizesOf(prepared));
    for (const batch of does("forecast") ? batches : [])
      await attempt(name, batch, "forecast", () => compareForecasts(prepared, batch, options));
    if (browser !== undefined) {
      for (const batch of batches)
        await attempt(name, batch, "browser", () => browser.compare(prepared, batch, options));
    }
    if (!subject.training) continue;
    const largest = Math.max(...batches);
    const able = (task: Peer["tasks"][number]) => ({
      ...options,
      peers: peers.filter(({ tasks, models = [name] }) => tasks.includes(task) && models.includes(name)),
    });
    if (does("training") && able("training").peers.length > 0)
      await attempt(name, largest, "training", () => compareTraining(prepared, largest, able("training")));
    if (does("compile") && able("compile").peers.length > 0)
      await attempt(name, 1, "compile", () => compareCompiling(prepared, able("compile")));
    if (does("threads") && threads.length > 1) {
      const few = { ...options, peers: threads };
      await attempt(name, largest, "threads forecast", () => compareThreads(prepared, largest, few));
    }
  }
  await browser?.close();
  const described = await Promise.all(
    [...peers, ...(does("threads") ? threads.slice(1) : [])].map(async (peer) => ({
      name: peer.name,
      detail: await peer.describe(),
    })),
  );
  return {
    format: 1,
    environment: machine(await versions()),
    settings: timing,
    peers: [...described, ...(browser?.peers.filter(({ name }) => name === "browser") ?? [])],
    modules: { relaxed: await kernelSize("relaxed"), plain: await kernelSize("plain") },
    ...results,
  };
}

/** The own backend, where it is there, and those it is compared with. */
async function availablePeers(
  registry: ReturnType<typeof createRegistry>,
  asked: string | undefined,
): Promise<Peer[]> {
  const names = [...new Set([own, "tfjs-wasm"])].filter((name) => registry.backends.has(name));
  const all = [
    ...names.map((name) => backendPeer(registry.backend(name), name === own)),
    onnxruntime("web"),
    litert(litertInNode, litertVersion),
    onnxruntime("node"),
    pytorch(),
  ];
  const peers: Peer[] = [];
  for (const peer of choose(asked, all, "peer")) {
    try {
      await peer.describe();
      peers.push(peer);
    } catch (error) {
      console.error(`without ${peer.name}: ${(error as Error).message}`);
    }
  }
  return peers;
}

/** A page in Chromium, where there is one. */
async function availableBrowser(): Promise<BrowserBench | undefined> {
  try {
    return await openBrowser();
  } catch (error) {
    console.error(`without Chromium: ${(error as Error).message}`);
    return undefined;
  }
}

/** Things by name out of a list with commas; all where none is asked for. */
function choose<T extends { readonly name: string }>(
  asked: string | undefined,
  all: readonly T[],
  what: string,
): T[] {
  if (asked === undefined) return [...all];
  return asked.split(",").map((name) => {
    const found = all.find((one) => one.name.toLowerCase() === name.trim().toLowerCase());
    if (found === undefined)
      throw unknownName(
        what,
        name,
        all.map((one) => one.name),
      );
    return found;
  });
}

async function versions(): Promise<Record<string, string>> {
  const { version, dependencies } = JSON.parse(
    await readFile(join(root, "studies/package.json"), "utf8"),
  ) as { version: string; dependencies: Record<string, string> };
  const others = Object.entries(dependencies).filter(([name]) => name.startsWith("onnxruntime"));
  return { espalier: version, v8: process.versions.v8, ...Object.fromEntries(others) };
}

async function write(results: PeerResults, out: string): Promise<void> {
  const document = peersDocument(results);
  const { files } = await drawFigures(document);
  files.set("peers.json", `${JSON.stringify(results, null, 1)}\n`);
  files.set("peers.md", toMarkdown(document));
  await mkdir(dirname(out), { recursive: true });
  await writeFolderAtomically(out, files, { force: true });
  console.log(peersSummaryLines(results).join("\n"));
  console.error(`written: ${[...files.keys()].map((name) => join(out, name)).join(", ")}`);
}

await runScript("bench:peers", main);
