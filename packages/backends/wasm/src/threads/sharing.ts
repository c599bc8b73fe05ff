/** The reason why memory cannot be shared here, and what to do; undefined if it can. */
export function whyNotShared(threads: number): string | undefined {
  const { crossOriginIsolated } = globalThis as { crossOriginIsolated?: boolean };
  if (crossOriginIsolated === false) {
    return `threads: ${threads} needs shared memory, which this page may not use. Serve it with the headers "Cross-Origin-Opener-Policy: same-origin" and "Cross-Origin-Embedder-Policy: require-corp", or use one thread.`;
  }
  if (
    typeof SharedArrayBuffer === "undefined" ||
    (nodeThreads() === undefined && typeof Worker === "undefined")
  ) {
    return `threads: ${threads} needs workers and shared memory, which this engine does not have. Use one thread.`;
  }
  return undefined;
}

/** Node's threads, without an import that a bundler for browsers would have to resolve. */
export function nodeThreads(): typeof import("node:worker_threads") | undefined {
  return globalThis.process?.getBuiltinModule?.("node:worker_threads");
}
