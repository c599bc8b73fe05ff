/** Milliseconds of work between two pauses. */
const interval = 50;

/**
 * Lets the process handle events (a Ctrl-C, a message, a click) during long work, whose promises alone never yield;
 * only waits if `interval` has passed since the last pause.
 */
export function createPause(): () => Promise<void> {
  let last = performance.now();
  return async () => {
    if (performance.now() - last < interval) return;
    await new Promise<void>((resolve) => {
      if (typeof setImmediate === "function") setImmediate(resolve);
      else setTimeout(resolve);
    });
    last = performance.now();
  };
}
