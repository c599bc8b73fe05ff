import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

/** Where the real data lies in a development checkout, beside the repository; not part of it. */
export const dataFolder: string = fileURLToPath(new URL("../../../shared/datasets", import.meta.url));

/** Whether it is there. The tests that need it are skipped, and named, where it is not. */
export const dataPresent: boolean = existsSync(join(dataFolder, "ETTh1.csv"));
if (!dataPresent)
  console.warn("skipped: tests on real data, for want of a folder shared/datasets beside the repository");

/** An empty folder that is deleted after the test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "espalier-datasets-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
