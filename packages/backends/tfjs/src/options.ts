/** TensorFlow.js's name of a backend; `tensorflow` is libtensorflow. */
export type Kind = "cpu" | "wasm" | "webgpu" | "tensorflow";

/** Location of TensorFlow.js's files. */
export interface RuntimeOptions {
  /**
   * Folder or address of TensorFlow.js's `.wasm` files; found automatically in Node, and next to the page's bundle
   * elsewhere.
   */
  readonly wasmPath?: string;
  /**
   * For `tensorflow`: the cache folder that `espalier backends install` used; by default `ESPALIER_CACHE`, else the
   * system's.
   */
  readonly cache?: string;
}

/** Options: one of TensorFlow.js's own backends, and the location of its files. */
export interface TfjsOptions extends RuntimeOptions {
  /**
   * `cpu`: plain JavaScript. `wasm`: WebAssembly with SIMD, one thread in Node. `webgpu`: the page's WebGPU, or in Node
   * that of npm's `webgpu` (Dawn). `tensorflow`: libtensorflow, in Node, after `espalier backends install tensorflow`.
   */
  readonly kind: Kind;
}
