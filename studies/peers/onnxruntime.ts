import { createModel } from "@espalier/core";
import { writeOnnx } from "@espalier/formats";
import type * as Native from "onnxruntime-node";
import type { Peer } from "./index.ts";

/** The module, in Node or in a page. */
export type Runtime = typeof Native;

const session = {
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  executionMode: "sequential",
  graphOptimizationLevel: "all",
  logSeverityLevel: 3,
} as const;

async function load(kind: "node" | "web"): Promise<Runtime> {
  if (kind === "node") return import("onnxruntime-node");
  const web = await import("onnxruntime-web");
  web.env.wasm.numThreads = 1;
  return web as unknown as Runtime;
}

/**
 * ONNX Runtime with one thread, native or as WebAssembly: it runs the model as `writeOnnx` exports it. `runtime` loads it,
 * where a page does so in another way.
 */
export function onnxruntime(kind: "node" | "web", runtime: () => Promise<Runtime> = () => load(kind)): Peer {
  return {
    name: `onnxruntime-${kind}`,
    sparse: false,
    tasks: ["forecast"],
    async describe() {
      const { env } = await runtime();
      const what = kind === "node" ? "native CPU" : "WebAssembly with SIMD";
      return `ONNX Runtime ${env.versions[kind] ?? env.versions.common}, ${what}, 1 thread`;
    },
    async load({ graph, tensors }) {
      const { InferenceSession, Tensor } = await runtime();
      const file = writeOnnx(createModel({ name: "peer", graph, tensors }));
      const loaded = await InferenceSession.create(file, session);
      return {
        async run(inputs) {
          const feeds = [...inputs].map(([name, { dtype, data, shape }]) => [
            name,
            new Tensor(dtype, data, shape),
          ]);
          const outputs = await loaded.run(Object.fromEntries(feeds));
          return new Map(
            Object.entries(outputs).map(([name, { dims, data }]) => [
              name,
              { dtype: "float32" as const, shape: dims, data: data as Float32Array },
            ]),
          );
        },
        dispose: () => loaded.release(),
      };
    },
  };
}
