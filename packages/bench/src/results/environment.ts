import { availableParallelism, cpus } from "node:os";
import type { Environment } from "./records.ts";

/** What this process runs on. */
export function environment(dataChecksum: string, versions: Readonly<Record<string, string>>): Environment {
  return {
    date: new Date().toISOString(),
    processor: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
    versions,
    dataChecksum,
  };
}
