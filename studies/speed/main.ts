/**
 * How much faster pruned models are that forecast as well as their dense ones: `pnpm bench:speed --runs FOLDER`. Takes the
 * results that the sweeps of this folder left in `FOLDER/speed-<name>`, times the models that are as good as the dense one on
 * validation data, and writes `results/speed`.
 */
import { existsSync } from "node:fs";
import { copyFile, mkdir, readdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { machine, readResults } from "@espalier/bench";
import type { Model } from "@espalier/core";
import { unknownName } from "@espalier/core/documents";
import { loadModel } from "@espalier/formats/node";
import { createRegistry } from "@espalier/recipe/standard";
import { toMarkdown } from "@espalier/report";
import {
  backendPeer,
  compareForecasts,
  type Peer,
  type PeerResults,
  type PreparedSubject,
  sizesOf,
} from "../peers/index.ts";
import { onnxruntime } from "../peers/onnxruntime.ts";
import { runScript } from "../script.ts";
import { speedDocument } from "./document.ts";
import { type Findings, findingsOf, forecastsAsWell } from "./outcomes.ts";
import { filesOf, speedStudy } from "./results.ts";

const usage = `pnpm bench:speed [options]
  --runs FOLDER   take over and time what sweeps left in FOLDER/speed-<name>
  --only a,b      time these studies, such as patchtst-etth1 (all)
  --keep-times    take over errors only, of studies whose models were timed before
  --quick         few rounds: to see that all works, not to quote
Without --runs, the page is written again from results/speed.`;

const root = new URL("../../", import.meta.url).pathname;
const results = join(root, "results/speed");
const batches = [1, 32];

async function main(): Promise<void> {
  const { values: flags } = parseArgs({
    options: {
      runs: { type: "string" },
      only: { type: "string" },
      "keep-times": { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (flags.help) {
    console.log(usage);
    return;
  }
  await mkdir(results, { recursive: true });
  const names = await studyNames();
  if (flags.runs !== undefined)
    for (const name of chosen(names, flags.only))
      await take(name, join(resolve(flags.runs), `speed-${name}`), {
        keep: flags["keep-times"],
        quick: flags.quick,
      });
  const studies = await Promise.all(names.map(speedStudy));
  await writeFile(
    join(results, "README.md"),
    toMarkdown(speedDocument(studies.filter((study) => study !== undefined))),
  );
}

function chosen(names: readonly string[], asked: string | undefined): readonly string[] {
  const wanted = asked?.split(",") ?? names;
  const strange = wanted.find((name) => !names.includes(name));
  if (strange !== undefined) throw unknownName("study", strange, names);
  return wanted;
}

async function studyNames(): Promise<string[]> {
  const files = await readdir(join(root, "studies/speed"));
  return files.flatMap((file) => /^(.+)\.yaml$/.exec(file)?.[1] ?? []).sort();
}

/** Takes over the results of a sweep, and times its models. */
async function take(
  name: string,
  folder: string,
  { keep, quick }: { readonly keep: boolean; readonly quick: boolean },
): Promise<void> {
  const from = join(folder, "results.jsonl");
  const findings = existsSync(from) ? findingsOf(await readResults(from)) : undefined;
  if (findings === undefined) {
    console.error(`${name}: no pruned models and their reference in ${folder} yet`);
    return;
  }
  const files = filesOf(name);
  await copyFile(from, files.errors);
  if (keep && existsSync(files.times)) return;
  const times = await time(name, findings, join(folder, "models"), quick);
  await writeFile(files.times, `${JSON.stringify(times, null, 1)}\n`);
}

/** Times the first seed's models, on the own backend and in ONNX Runtime, all taking turns on one thread. */
async function time(name: string, findings: Findings, models: string, quick: boolean): Promise<PeerResults> {
  const settings = quick ? { time: 120, samples: 3, rounds: 3 } : { time: 1100, samples: 7, rounds: 11 };
  const oracle = onnxruntime("node");
  const peers: Peer[] = [backendPeer(createRegistry().backend("wasm"), true), onnxruntime("web"), oracle];
  const load = async (id: string, record: { readonly id: string }) => ({
    variant: { id, family: "dense" as const, percent: 0, masked: false, make: async (model: Model) => model },
    model: await loadModel(join(models, `${record.id}.safetensors`)),
  });
  const equal = findings.pruned.filter((outcome) => forecastsAsWell(outcome, findings));
  const subject: PreparedSubject = {
    name,
    models: await Promise.all([
      load("dense", findings.dense[0]!),
      ...equal.map(({ recipe, records }) => load(recipe, records[0]!)),
    ]),
  };
  const runs = [];
  for (const batch of batches)
    runs.push(
      await compareForecasts(subject, batch, {
        peers,
        oracle,
        timing: settings,
        onProgress: (text) => console.error(text),
      }),
    );
  return {
    format: 1,
    environment: machine({}),
    settings,
    peers: await Promise.all(peers.map(async (peer) => ({ name: peer.name, detail: await peer.describe() }))),
    sizes: sizesOf(subject),
    runs,
    failures: [],
  };
}

await runScript("bench:speed", main);
