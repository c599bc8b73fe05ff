/** Starts counting. The function returned gives the share of the time since then in which this thread waited for a processor. */
export function countWaiting(): () => number | undefined {
  const [start, before] = [performance.now(), waitedMilliseconds()];
  return () => {
    const now = waitedMilliseconds();
    if (before === undefined || now === undefined) return undefined;
    return (now - before) / (performance.now() - start);
  };
}

/** Undefined where the system does not tell: in browsers, and outside Linux. */
function waitedMilliseconds(): number | undefined {
  try {
    const text = globalThis.process.getBuiltinModule("node:fs").readFileSync("/proc/self/schedstat", "utf8");
    const nanoseconds = Number(text.split(" ")[1]);
    return Number.isFinite(nanoseconds) ? nanoseconds / 1e6 : undefined;
  } catch {
    return undefined;
  }
}
