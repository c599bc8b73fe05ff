import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import type { Tf } from "../tensorflow-js.ts";

/** The version of libtensorflow that the current backend runs on. */
export function tensorflowVersion(tf: Tf): string {
  return (tf.backend() as unknown as { binding: { TF_Version: string } }).binding.TF_Version;
}

/** Threads that one operator of libtensorflow may use. */
export function threadCount(): number {
  const asked = Number(process.env.TF_NUM_INTRAOP_THREADS);
  return Number.isInteger(asked) && asked > 0 ? asked : availableParallelism();
}

/** Flags of Linux's `/proc/cpuinfo`, best first: libtensorflow's products take the best there is. */
const levels = [
  ["avx512f", "AVX-512"],
  ["avx2", "AVX2"],
  ["avx", "AVX"],
  ["sse4_2", "SSE4.2"],
  ["asimd", "NEON"],
] as const;

/** The processor's vector instructions; undefined if the system does not report them. */
export function simdLevel(): string | undefined {
  try {
    const line = /^(?:flags|Features)\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1] ?? "";
    const flags = new Set(line.trim().split(/\s+/));
    return levels.find(([flag]) => flags.has(flag))?.[1];
  } catch {
    return undefined;
  }
}
