import { wasm } from "@espalier/backend-wasm";
import { type Model, randomInputs, type Tensors } from "@espalier/core";
import { relativeError } from "@espalier/core/testing";
import { decodeModel } from "@espalier/formats";
import * as litertRuntime from "@litertjs/core";
import * as onnxRuntime from "onnxruntime-web/wasm";
import { litert } from "../litert.ts";
import { onnxruntime, type Runtime } from "../onnxruntime.ts";
import { backendPeer, type Loaded, type Peer } from "../peer.ts";

/** Functions of the page that the benchmark calls. */
export interface Offers {
  /** Peers, the own backend first, each with one line about it. */
  peers(): Promise<{ name: string; sparse: boolean; detail: string }[]>;
  /** Fetches a model; what is loaded after it runs it. */
  open(url: string, batch: number): Promise<void>;
  /**
   * Loads the model for a peer and runs it once. Returns the number of what it loaded, and how far outputs are from those
   * of the first that ran this model.
   */
  load(peer: string): Promise<{ id: number; error: number }>;
  run(id: number, times: number): Promise<void>;
  dispose(): Promise<void>;
}

onnxRuntime.env.wasm.numThreads = 1;
onnxRuntime.env.wasm.wasmPaths = "/onnxruntime/";

const litertLoaded = litertRuntime.loadLiteRt("/litert/", { threads: false }).then(() => litertRuntime);
const version = document.documentElement.dataset.litert!;
const all: readonly Peer[] = [
  backendPeer(wasm(), true),
  onnxruntime("web", async () => onnxRuntime as unknown as Runtime),
  litert(() => litertLoaded, version),
];

let opened: { readonly model: Model; readonly batch: number; readonly inputs: Tensors; outputs?: Tensors };
const loaded: { readonly program: Loaded; readonly inputs: Tensors }[] = [];

const offers: Offers = {
  peers: () =>
    Promise.all(
      all.map(async (peer) => ({ name: peer.name, sparse: peer.sparse, detail: await peer.describe() })),
    ),
  async open(url, batch) {
    const response = await fetch(url);
    const model = decodeModel(new Uint8Array(await response.arrayBuffer()));
    opened = { model, batch, inputs: randomInputs(model, batch) };
  },
  async load(name) {
    const { model, batch, inputs } = opened;
    const program = await all.find((peer) => peer.name === name)!.load(model, batch);
    const outputs = await program.run(inputs);
    opened.outputs ??= outputs;
    const errors = [...opened.outputs].map(([key, tensor]) => relativeError(outputs.get(key)!, tensor));
    return { id: loaded.push({ program, inputs }) - 1, error: Math.max(...errors) };
  },
  async run(id, times) {
    const { program, inputs } = loaded[id]!;
    for (let i = 0; i < times; i++) await program.run(inputs);
  },
  async dispose() {
    for (const { program } of loaded.splice(0)) await program.dispose();
  },
};

Object.assign(globalThis, { offers });
