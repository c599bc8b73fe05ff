import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { cpus, hostname } from "node:os";

/** The machine that a worker runs on. */
export interface Machine {
  /** Equal for all workers that share processors: containers of one machine have names of their own. */
  readonly key: string;
  readonly host: string;
  readonly processor: string;
}

export function thisMachine(): Machine {
  const host = hostname();
  return { key: machineKey(host), host, processor: cpus()[0]?.model.trim() ?? "unknown" };
}

function machineKey(host: string): string {
  let boot = host;
  try {
    boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    // Not Linux: its name has to do.
  }
  return createHash("sha256").update(boot).digest("hex").slice(0, 16);
}
