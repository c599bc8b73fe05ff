import { tfjs } from "@espalier/backend-tfjs";
import { wasm } from "@espalier/backend-wasm";
import { webgpu } from "@espalier/backend-webgpu";
import { machine } from "@espalier/bench";
import { account, type Backend, EspalierError } from "@espalier/core";
import { compareForecasts, type PreparedSubject, prepareSubject, sizesOf } from "../peers/compare.ts";
import { checkConformance } from "../peers/conformance.ts";
import { type GpuPreset, gpuSubjects } from "../peers/gpu-subjects.ts";
import { backendPeer } from "../peers/peer.ts";
import type { PeerResults } from "../peers/results.ts";

export interface GpuOptions {
  readonly preset: GpuPreset;
  /** Models by name; all by default. */
  readonly models?: readonly string[];
  readonly batches: readonly number[];
  /** Whether what every backend must do is checked first. */
  readonly conformance: boolean;
  readonly timing: { readonly time: number; readonly samples: number; readonly rounds: number };
  /** Versions of what runs, for the record. */
  readonly versions: Readonly<Record<string, string>>;
  readonly onProgress?: (text: string) => void;
  /** Called after every part with what there is so far, so that a run that is stopped has given something. */
  readonly onPart?: (results: PeerResults) => Promise<void>;
}

/** Largest error between outputs on a GPU and our kernels on the processor: ‖a − b‖ ÷ ‖b‖. */
const tolerance = 1e-4;

/** If a program stands in for the GPU, each thing is run once: its times say nothing. */
const once = { time: 1, samples: 1, rounds: 1 };

/**
 * Conformance of the own WebGPU backend and of TensorFlow.js's on this machine's adapter, then forecasts of every model,
 * dense and pruned, the two taking turns. What fails costs itself only, and is in the results. Throws an EspalierError
 * where there is no adapter.
 */
export async function measureGpu(options: GpuOptions): Promise<PeerResults> {
  const { onProgress, onPart } = options;
  const [own, peer] = [webgpu(), tfjs({ kind: "webgpu" })];
  const described = [await describe(own), await describe(peer)];
  const software = described.some((one) => one.software);
  const timing = software ? once : options.timing;
  const results: PeerResults = {
    format: 1,
    environment: machine({ ...options.versions, v8: process.versions.v8 }),
    settings: { ...timing, tolerance },
    own: own.name,
    peers: described,
    conformance: [],
    sizes: [],
    runs: [],
    failures: [],
  };
  for (const backend of options.conformance ? await checkedBackends(own, peer) : []) {
    const report = (done: number, all: number) =>
      done % 20 === 0 && onProgress?.(`${backend.name}: ${done} of ${all} checks`);
    results.conformance!.push(await checkConformance(backend.backend, { ...backend, onProgress: report }));
    await onPart?.(results);
  }
  const oracle = backendPeer(wasm(), false);
  const peers = [backendPeer(own, true), backendPeer(peer, false)];
  for (const subject of await chosen(options)) {
    const { name } = subject;
    onProgress?.(`${name}: pruning`);
    const prepared = withoutCopies(await prepareSubject(subject));
    results.sizes.push(...sizesOf(prepared));
    for (const batch of options.batches) {
      const failed = (error: string) =>
        results.failures.push({ model: name, batch, task: "forecast", error });
      try {
        const run = await compareForecasts(prepared, batch, {
          ...{ peers, oracle, timing: { ...timing, warmup: software ? 0 : 3 } },
          ...(onProgress && { onProgress }),
          onFailure: (who, variant, error) => failed(`${who} ${variant}: ${error.message}`),
        });
        results.runs.push(run);
      } catch (error) {
        failed((error as Error).message);
      }
      await onPart?.(results);
    }
  }
  return results;
}

async function describe(backend: Backend): Promise<PeerResults["peers"][number]> {
  const { available, detail, software = false } = await backend.availability();
  if (!available) throw new EspalierError(`backend ${backend.name}: ${detail}`);
  return { name: backend.name, detail, software };
}

interface Checked {
  readonly name: string;
  readonly backend: Backend;
  readonly tolerance: number;
}

/** The backends, the own one with both of its tilings, and with 16-bit numbers where the device has them. */
async function checkedBackends(own: Backend, peer: Backend): Promise<Checked[]> {
  const half = webgpu({ float16: true });
  const { available } = await half.availability();
  return [
    { name: "webgpu", backend: own, tolerance: 1e-5 },
    { name: "webgpu, registers", backend: webgpu({ tiling: "registers" }), tolerance: 1e-5 },
    ...(available ? [{ name: "webgpu, float16", backend: half, tolerance: 5e-3 }] : []),
    { name: "tfjs-webgpu", backend: peer, tolerance: 1e-5 },
  ];
}

async function chosen({ preset, models }: GpuOptions) {
  const all = gpuSubjects(preset);
  const unknown = models?.find((name) => !all.some((subject) => subject.name === name));
  if (unknown !== undefined)
    throw new EspalierError(
      `model "${unknown}" is not known. Known: ${all.map(({ name }) => name).join("; ")}.`,
    );
  return all.filter(({ name }) => models === undefined || models.includes(name));
}

/** Without variants that changed nothing: a linear model has no channels to remove. */
function withoutCopies({ name, models }: PreparedSubject): PreparedSubject {
  const nonzero = ({ model }: PreparedSubject["models"][number]) => account(model).parameters.nonzero;
  const dense = nonzero(models[0]!);
  return { name, models: models.filter((one, i) => i === 0 || nonzero(one) < dense) };
}
