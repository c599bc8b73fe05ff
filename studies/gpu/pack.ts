/**
 * Packs what a GPU machine without a network needs into one archive: `pnpm bench:gpu [--out FILE]`. Node, Dawn's addon, the
 * bundled program, and a Vulkan loader for machines without one. There: unpack it, and start `espalier-gpu/run`.
 */
import { createHash, randomUUID } from "node:crypto";
import { mkdir, mkdtemp, readFile, rename, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { EspalierError } from "@espalier/core";
import { runScript } from "../script.ts";
import { stage } from "./stage.ts";
import { runTool } from "./tool.ts";

const usage = `pnpm bench:gpu [options]
  --out FILE   the archive (espalier-out/espalier-gpu.tar.xz); replaced where it is there`;

const root = "espalier-gpu";

async function main(): Promise<void> {
  const { values: flags } = parseArgs({
    options: {
      out: { type: "string", default: "espalier-out/espalier-gpu.tar.xz" },
      help: { type: "boolean", default: false },
    },
  });
  if (flags.help) {
    console.log(usage);
    return;
  }
  if (process.platform !== "linux" || process.arch !== "x64")
    throw new EspalierError("the archive holds this machine's Node: pack it on Linux x64.");
  const out = resolve(flags.out);
  const staging = await mkdtemp(join(tmpdir(), "espalier-gpu-"));
  const part = join(dirname(out), `.${randomUUID()}.part`);
  try {
    console.error("bundling");
    await stage(join(staging, root), (line) => console.error(line));
    await mkdir(dirname(out), { recursive: true });
    console.error("packing");
    const sorted = ["--sort=name", "--owner=0", "--group=0", "--numeric-owner"];
    const program = `xz -7 -T0`;
    await runTool("tar", ["-C", staging, ...sorted, `--use-compress-program=${program}`, "-cf", part, root]);
    await rename(part, out);
  } finally {
    await rm(part, { force: true });
    await rm(staging, { recursive: true, force: true });
  }
  const bytes = (await stat(out)).size;
  const sha256 = createHash("sha256")
    .update(await readFile(out))
    .digest("hex");
  console.log(`${flags.out}  ${(bytes / 1e6).toFixed(1)} MB  sha256 ${sha256}`);
  console.log(`there: tar -xJf ${flags.out.split("/").at(-1)} && ${root}/run`);
}

await runScript("bench:gpu", main, { code: 1 });
