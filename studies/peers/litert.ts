import { createModel } from "@espalier/core";
import { writeTflite } from "@espalier/formats";
import { type Litert, openLitert } from "@espalier/runtimes/litert";
import type { Peer } from "./index.ts";

/** LiteRT.js with one thread (XNNPACK in WebAssembly): it runs the model as `writeTflite` exports it. */
export function litert(runtime: () => Promise<Litert>, version: string): Peer {
  return {
    name: "litert.js",
    sparse: false,
    tasks: ["forecast"],
    async describe() {
      await runtime();
      return `LiteRT.js ${version}, XNNPACK in WebAssembly with SIMD, 1 thread`;
    },
    async load({ graph, tensors }, batch) {
      const file = writeTflite(createModel({ name: "peer", graph, tensors }), { batch });
      return openLitert(await runtime(), file);
    },
  };
}
