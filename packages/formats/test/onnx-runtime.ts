import type { TensorData } from "@espalier/core";
import * as native from "onnxruntime-node";
import * as web from "onnxruntime-web";

/** The two ONNX Runtimes an export has to load in: native, and WebAssembly with one thread. */
const runtimes = { "onnxruntime-node": native, "onnxruntime-web": web as unknown as typeof native };
export type RuntimeName = keyof typeof runtimes;
export const runtimeNames = Object.keys(runtimes) as RuntimeName[];

web.env.wasm.numThreads = 1;

type Tensors = ReadonlyMap<string, TensorData>;

/** Loads an ONNX file and gives it to `use` as a function from inputs to outputs. */
export async function withOnnx(
  file: Uint8Array,
  runtime: RuntimeName,
  use: (run: (inputs: Tensors) => Promise<Tensors>) => Promise<void>,
): Promise<void> {
  const { InferenceSession, Tensor } = runtimes[runtime];
  const session = await InferenceSession.create(file, { logSeverityLevel: 3 });
  try {
    await use(async (inputs) => {
      const feeds = [...inputs].map(([name, { dtype, data, shape }]) => [
        name,
        new Tensor(dtype, data, shape),
      ]);
      const outputs = await session.run(Object.fromEntries(feeds));
      return new Map(
        Object.entries(outputs).map(([name, { dims, data, type }]) => [
          name,
          { dtype: type as TensorData["dtype"], shape: dims, data: data as TensorData["data"] },
        ]),
      );
    });
  } finally {
    await session.release();
  }
}
