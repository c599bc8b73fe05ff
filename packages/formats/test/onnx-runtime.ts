import type { TensorData } from "@espalier/core";
import * as native from "onnxruntime-node";
import * as web from "onnxruntime-web";

/** The two ONNX Runtimes an export has to load in: native, and WebAssembly with one thread. */
export const runtimes = { "onnxruntime-node": native, "onnxruntime-web": web } as const;
export type RuntimeName = keyof typeof runtimes;

web.env.wasm.numThreads = 1;
web.env.logLevel = "error";

/** Outputs of an ONNX file. A file the runtime warns about is as good as one it refuses. */
export async function runOnnx(
  file: Uint8Array,
  inputs: ReadonlyMap<string, TensorData>,
  runtime: RuntimeName = "onnxruntime-node",
): Promise<Map<string, TensorData>> {
  const { InferenceSession, Tensor } = runtimes[runtime] as typeof native;
  const session = await InferenceSession.create(file, { logSeverityLevel: 3 });
  try {
    const feeds = Object.fromEntries(
      [...inputs].map(([name, { dtype, data, shape }]) => [
        name,
        dtype === "int32"
          ? new Tensor("int32", data as Int32Array, shape)
          : new Tensor("float32", data as Float32Array, shape),
      ]),
    );
    const outputs = await session.run(feeds);
    return new Map(
      Object.entries(outputs).map(([name, { dims, data, type }]) => [
        name,
        { dtype: type as TensorData["dtype"], shape: dims, data: data as Float32Array | Int32Array },
      ]),
    );
  } finally {
    await session.release();
  }
}
