/**
 * Program that a GPU machine runs from the archive of `pnpm bench:gpu`: conformance, then latency; results as JSON that
 * `pnpm bench:peers --from` draws. Needs no network and no installation.
 */
import { existsSync, readFileSync } from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { EspalierError } from "@espalier/core";
import { loadLibrary } from "@espalier/webgpu-device";
import type { PeerResults } from "../peers/results.ts";
import { runScript } from "../script.ts";
import { measureGpu } from "./measure.ts";

const usage = `run [options]
  --preset full|small  sizes as the papers have them; or small ones, to see that all works (full)
  --models a,b         by name (all ten)
  --batches 1,3,32     batch sizes (1,3,32,256; small: 1,3)
  --no-conformance     latency only
  --out FILE           results (espalier-gpu.json)`;

const here = dirname(fileURLToPath(import.meta.url));

/** Dawn finds the Vulkan loader by its name; where the machine has none, the archive's is loaded first. */
function provideVulkanLoader(): void {
  if (process.platform !== "linux" || loadLibrary("libvulkan.so.1")) return;
  const carried = join(here, "../lib/libvulkan.so.1");
  const found = existsSync(carried) && loadLibrary(carried);
  console.error(
    found
      ? "Vulkan loader: none on this machine; the archive's is used"
      : "Vulkan loader: none on this machine, and none in the archive: apt-get install libvulkan1",
  );
}

async function main(): Promise<void> {
  const { values: flags } = parseArgs({
    allowNegative: true,
    options: {
      preset: { type: "string", default: "full" },
      models: { type: "string" },
      batches: { type: "string" },
      conformance: { type: "boolean", default: true },
      out: { type: "string", default: "espalier-gpu.json" },
      help: { type: "boolean", default: false },
    },
  });
  if (flags.help) {
    console.log(usage);
    return;
  }
  const { preset, models } = flags;
  if (preset !== "full" && preset !== "small")
    throw new EspalierError(`--preset ${preset}: give full or small.`);
  const batches = (flags.batches ?? (preset === "full" ? "1,3,32,256" : "1,3")).split(",").map(Number);
  if (!batches.every((batch) => Number.isInteger(batch) && batch > 0))
    throw new EspalierError(`--batches ${flags.batches}: give whole numbers, such as 1,3,32.`);
  provideVulkanLoader();
  const results = await measureGpu({
    preset,
    batches,
    ...(models === undefined ? {} : { models: models.split(",").map((name) => name.trim()) }),
    conformance: flags.conformance,
    timing: preset === "full" ? { time: 900, samples: 9, rounds: 9 } : { time: 30, samples: 3, rounds: 3 },
    versions: versions(),
    onProgress: (text) => console.error(text),
    onPart: (part) => write(flags.out, part),
  });
  await write(flags.out, results);
  for (const { name, detail } of results.peers) console.log(`${name}: ${detail}`);
  for (const { backend, checks, failures } of results.conformance ?? [])
    console.log(`${backend}: ${checks - failures.length} of ${checks} checks hold`);
  console.log(`${results.runs.length} comparisons, ${results.failures.length} failures`);
  console.log(
    `${flags.out}: take it to a clone of Espalier, and there: pnpm bench:peers --from ${flags.out} --out report`,
  );
}

/** Beside the file, then renamed: what is there is always whole. */
async function write(out: string, results: PeerResults): Promise<void> {
  await writeFile(`${out}.part`, `${JSON.stringify(results, null, 1)}\n`);
  await rename(`${out}.part`, out);
}

/** Versions of the packages that the archive was packed from. */
function versions(): Record<string, string> {
  const manifest = join(here, "../manifest.json");
  if (!existsSync(manifest)) return {};
  return (JSON.parse(readFileSync(manifest, "utf8")) as { versions: Record<string, string> }).versions;
}

await runScript("espalier-gpu", main, { code: 1, known: (error) => "syscall" in error });
