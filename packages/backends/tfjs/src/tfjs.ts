import { type Availability, type Backend, EspalierError } from "@espalier/core";
import { checkTensors } from "@espalier/core/graph";
import { describeGpu, findGpu } from "@espalier/webgpu-device";
import type { Kind, TfjsOptions } from "./options.ts";
import { NotAdded } from "./packages.ts";
import { TfjsProgram } from "./program.ts";
import { activate, exclusively, nameOf } from "./runtime.ts";
import { TfjsState } from "./state.ts";
import type { Tf } from "./tensorflow-js.ts";

/** Runs graphs on TensorFlow.js, which is loaded on first use. */
export function tfjs({ kind, ...options }: TfjsOptions): Backend {
  const name = nameOf(kind);
  return {
    name,
    availability: () =>
      exclusively(async () => {
        try {
          return await describe(kind, await activate(kind, options));
        } catch (error) {
          if (error instanceof NotAdded) {
            return { available: false, detail: error.message, command: error.command };
          }
          if (kind === "webgpu") {
            const found = await findGpu();
            if ("missing" in found) return describeGpu(found);
          }
          const { message } = error as Error;
          const known = error instanceof EspalierError;
          return {
            available: false,
            detail: known ? message : `TensorFlow.js did not start: ${message}`,
            ...(kind === "tensorflow" ? { command: "espalier backends install tensorflow" } : {}),
          };
        }
      }),
    createState: (tensors) => TfjsState.create(kind, options, tensors),
    async compile(graph, { state, batch = [] }) {
      if (!(state instanceof TfjsState) || state.kind !== kind) {
        throw new EspalierError(`backend ${name}: the state was created by another backend.`);
      }
      checkTensors(graph, (tensor) => state.shape(tensor));
      const program = new TfjsProgram(graph, state, options);
      for (const size of batch) program.prepare(size);
      return program;
    },
  };
}

async function describe(kind: Kind, tf: Tf): Promise<Availability> {
  const versions = { "TensorFlow.js": tf.version_core };
  if (kind === "webgpu") return describeGpu(await findGpu(), versions);
  if (kind === "tensorflow") return describeTensorflow(tf);
  const prefix = `TensorFlow.js ${tf.version_core}`;
  if (kind === "cpu")
    return { available: true, detail: `${prefix}, plain JavaScript`, versions, threads: 1, simd: "none" };
  const { simd } = await wasmFeatures();
  return {
    available: true,
    detail: `${prefix}, WebAssembly ${simd ? "with" : "without"} SIMD, 1 thread`,
    versions,
    threads: 1,
    simd: simd ? "128-bit" : "none",
  };
}

async function describeTensorflow(tf: Tf): Promise<Availability> {
  const { simdLevel, tensorflowVersion, threadCount } = await import("./tensorflow/describe.ts");
  const [version, threads, simd] = [tensorflowVersion(tf), threadCount(), simdLevel()];
  const parts = [
    `libtensorflow ${version}, TensorFlow.js ${tf.version_core}`,
    ...(simd === undefined ? [] : [simd]),
    `${threads} ${threads === 1 ? "thread" : "threads"}`,
  ];
  return {
    available: true,
    detail: parts.join(", "),
    versions: { libtensorflow: version, "TensorFlow.js": tf.version_core },
    threads,
    ...(simd === undefined ? {} : { simd }),
  };
}

/** Whether this engine has 128-bit SIMD; TensorFlow.js chooses its build by the same test. */
async function wasmFeatures(): Promise<{ simd: boolean }> {
  // A module with one function that returns a splatted vector's lane.
  const bytes = Uint8Array.of(
    0,
    97,
    115,
    109,
    1,
    0,
    0,
    0,
    1,
    5,
    1,
    96,
    0,
    1,
    123,
    3,
    2,
    1,
    0,
    10,
    10,
    1,
    8,
    0,
    65,
    0,
    253,
    15,
    253,
    98,
    11,
  );
  return { simd: WebAssembly.validate(bytes) };
}
