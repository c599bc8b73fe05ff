/** TensorFlow.js's own name of a backend; `tensorflow` is libtensorflow. */
export type Kind = "cpu" | "wasm" | "webgpu" | "tensorflow";

/** Where TensorFlow.js finds its files. */
export interface RuntimeOptions {
  /** Folder or address that holds TensorFlow.js's `.wasm` files; found by itself in Node, and next to the page's bundle elsewhere. */
  readonly wasmPath?: string;
  /** Of `tensorflow`: the folder `espalier backends install` was given as cache; `ESPALIER_CACHE`, else the system's, by default. */
  readonly cache?: string;
}

/** Which of TensorFlow.js's own backends, and where its files are. */
export interface TfjsOptions extends RuntimeOptions {
  /**
   * `cpu`: plain JavaScript. `wasm`: WebAssembly with SIMD, one thread in Node. `webgpu`: the page's WebGPU, or in Node
   * that of npm's `webgpu` (Dawn). `tensorflow`: libtensorflow, in Node, once `espalier backends install tensorflow` has
   * put it there.
   */
  readonly kind: Kind;
}
