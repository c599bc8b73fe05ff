import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { EspalierError } from "@espalier/core";

/** Runs a program of the system, and gives what it printed; an EspalierError if it is not there, or fails. */
export async function runTool(program: string, args: readonly string[]): Promise<string> {
  try {
    return (await promisify(execFile)(program, args)).stdout;
  } catch (error) {
    const { code, stderr } = error as { code?: string | number; stderr?: string };
    const why = code === "ENOENT" ? "is not on this machine" : `failed: ${stderr?.trim().split("\n")[0]}`;
    throw new EspalierError(`${program} ${why}.`);
  }
}
