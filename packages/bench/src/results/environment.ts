import { availableParallelism, cpus } from "node:os";
import type { Environment } from "./records.ts";

/** The machine and time of this process. */
export function machine(versions: Readonly<Record<string, string>>): Omit<Environment, "dataChecksum"> {
  return {
    date: new Date().toISOString(),
    processor: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
    versions,
  };
}

/** The machine and time of this process, and its data. */
export function environment(dataChecksum: string, versions: Readonly<Record<string, string>>): Environment {
  return { ...machine(versions), dataChecksum };
}
