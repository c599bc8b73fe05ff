import { randomUUID } from "node:crypto";
import { readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** A hidden name next to a folder that contains the id of its process. */
export function besides(folder: string, what: "part" | "old"): string {
  return join(dirname(folder), `.${basename(folder)}.${process.pid}.${randomUUID().slice(0, 8)}.${what}`);
}

/** Deletes files next to the folder that belong to processes that were killed. */
export async function sweepAway(folder: string): Promise<void> {
  const pattern = new RegExp(`^\\.${basename(folder)}\\.(\\d+)\\.[0-9a-f]+\\.(part|old)$`);
  for (const name of await readdir(dirname(folder)).catch(() => [])) {
    const pid = pattern.exec(name)?.[1];
    if (pid !== undefined && !lives(Number(pid)))
      await rm(join(dirname(folder), name), { recursive: true, force: true });
  }
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Replaces a folder, and deletes the old one afterwards. */
export async function replace(part: string, folder: string): Promise<void> {
  const old = besides(folder, "old");
  const moved = await rename(folder, old).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return false;
      throw error;
    },
  );
  try {
    await rename(part, folder);
  } catch (error) {
    if (moved) await rename(old, folder);
    throw error;
  }
  await rm(old, { recursive: true, force: true });
}
