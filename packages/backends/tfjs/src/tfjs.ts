import { type Backend, checkTensors, EspalierError } from "@espalier/core";
import { TfjsProgram } from "./program.ts";
import { activate, exclusively, type Kind, type RuntimeOptions } from "./runtime.ts";
import { TfjsState } from "./state.ts";

export interface TfjsOptions extends RuntimeOptions {
  /** `cpu`: plain JavaScript. `wasm`: WebAssembly with SIMD, one thread in Node. */
  readonly kind: Kind;
}

/** Runs graphs on TensorFlow.js, which is loaded when it is first needed. */
export function tfjs({ kind, ...options }: TfjsOptions): Backend {
  const name = `tfjs-${kind}`;
  return {
    name,
    availability: () =>
      exclusively(async () => {
        try {
          const tf = await activate(kind, options);
          return { available: true, detail: `TensorFlow.js ${tf.version_core}, ${await describe(kind)}` };
        } catch (error) {
          return { available: false, detail: `TensorFlow.js did not start: ${(error as Error).message}` };
        }
      }),
    createState: (tensors) => TfjsState.create(kind, options, tensors),
    async compile(graph, { state, batch = [] }) {
      if (!(state instanceof TfjsState) || state.kind !== kind) {
        throw new EspalierError(`backend ${name}: the state was made by another backend.`);
      }
      checkTensors(graph, (tensor) => state.shape(tensor));
      const program = new TfjsProgram(graph, state, options);
      for (const size of batch) program.prepare(size);
      return program;
    },
  };
}

async function describe(kind: Kind): Promise<string> {
  if (kind === "cpu") return "plain JavaScript";
  const { simd } = await wasmFeatures();
  return `WebAssembly ${simd ? "with" : "without"} SIMD, 1 thread`;
}

/** Whether this engine has 128-bit SIMD: TensorFlow.js picks its build by the same test. */
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
