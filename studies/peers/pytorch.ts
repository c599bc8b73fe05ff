import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { EspalierError, float32, type TensorData, type Tensors } from "@espalier/core";
import { writeSafetensors } from "@espalier/formats";
import type { Peer } from "./index.ts";

const { ESPALIER_PYTHON: program = "python3" } = process.env;
const script = fileURLToPath(new URL("pytorch.py", import.meta.url));

/** Models that `pytorch.py` draws. */
const drawn = ["iTransformer", "PatchTST"];

/**
 * PyTorch with one thread, which runs training steps of the models that it has been taught (`pytorch.py`), in a process of
 * its own: the Python that `ESPALIER_PYTHON` names, or `python3`.
 */
export function pytorch(): Peer {
  return {
    name: "pytorch",
    sparse: false,
    tasks: ["training"],
    models: drawn,
    async describe() {
      const ask = ["-c", "import torch; print(torch.__version__, torch.backends.cpu.get_cpu_capability())"];
      const { stdout } = await promisify(execFile)(program, ask).catch(() => {
        throw new EspalierError(
          `${program} has no module torch. Name a Python that has it with ESPALIER_PYTHON.`,
        );
      });
      const [version, capability] = stdout.trim().split(" ");
      return `PyTorch ${version}, native CPU (${capability}), 1 thread`;
    },
    async load({ trains }) {
      if (trains === undefined) throw new EspalierError("PyTorch runs steps of training.");
      const { name, options, graph, tensors } = trains;
      const kept = graph.tensors.filter(({ role }) => role !== "constant");
      const weights = kept.map((tensor) => [tensor.name, tensors.get(tensor.name)!] as const);
      let python: Running | undefined;
      return {
        async run(inputs) {
          python ??= await start({ name, options }, weights, inputs);
          const loss = Number(await python.step());
          return new Map([["loss", float32([], [loss])]]);
        },
        dispose: () => python?.stop(),
      };
    },
  };
}

interface Running {
  step(): Promise<string>;
  stop(): Promise<void>;
}

/** Starts a process with the weights and inputs, which are the same in every step. */
async function start(
  setup: object,
  weights: readonly (readonly [string, TensorData])[],
  inputs: Tensors,
): Promise<Running> {
  const folder = await mkdtemp(join(tmpdir(), "espalier-pytorch-"));
  const given = [...inputs].map(([key, tensor]) => [`input:${key}`, tensor] as const);
  await writeFile(join(folder, "model.json"), JSON.stringify(setup));
  await writeFile(join(folder, "tensors.safetensors"), writeSafetensors(new Map([...weights, ...given])));
  const child = spawn(program, [script, folder], { stdio: ["pipe", "pipe", "pipe"] });
  const answer = answersOf(child);
  const stop = async () => {
    child.kill();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await answer();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    step() {
      child.stdin.write("\n");
      return answer();
    },
    stop,
  };
}

/** The next line that a process answers with. Fails with the last line of what it complains about if it ends. */
function answersOf(child: ChildProcess): () => Promise<string> {
  let complaints = "";
  child.stderr!.on("data", (text: Buffer) => {
    complaints += text;
  });
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  return async () => {
    const { done, value } = await lines.next();
    if (done) throw new EspalierError(`PyTorch stopped: ${complaints.trim().split("\n").at(-1)}`);
    return value;
  };
}
