import { spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { takeLock } from "../src/node/lock.ts";

async function lockPath(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "espalier-lock-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return join(folder, "a.lock");
}

const module = fileURLToPath(new URL("../src/node/lock.ts", import.meta.url));

/** Another process that takes the lock and holds it until it is killed; resolves once it has it. */
async function holder(path: string) {
  const code = `const { takeLock } = await import(${JSON.stringify(module)}); await takeLock(${JSON.stringify(path)}, "it"); console.log("held"); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, [
    "--conditions=@espalier/source",
    "--input-type=module",
    "--eval",
    code,
  ]);
  const gone = new Promise((resolve) => child.once("exit", resolve));
  onTestFinished(() => void child.kill("SIGKILL"));
  await new Promise<void>((resolve, reject) => {
    child.stdout.once("data", () => resolve());
    child.stderr.once("data", (text) => reject(new Error(String(text))));
  });
  return {
    pid: child.pid!,
    async kill() {
      child.kill("SIGKILL");
      await gone;
    },
  };
}

it("a lock that another process holds is refused by its number, and taken over once that was killed", async () => {
  const path = await lockPath();
  const other = await holder(path);
  await expect(takeLock(path, "the folder")).rejects.toThrow(
    new RegExp(
      `^the folder is in use by process ${other.pid} since 20.*Z\\. Wait for it, or give another place\\.$`,
    ),
  );
  await other.kill();
  const release = await takeLock(path, "the folder");
  await release();
  expect(await readdir(join(path, ".."))).toEqual([]);
});

it("a lock whose process number belongs to another process by now is stale", async () => {
  const path = await lockPath();
  const release = await takeLock(path, "it");
  const { began, ...own } = JSON.parse(await readFile(path, "utf8"));
  await release();
  // Only Linux says when a process began.
  if (began === undefined) return;
  await writeFile(path, JSON.stringify({ ...own, began: "another boot/1" }));
  await (await takeLock(path, "it"))();
});

it("a lock of another machine stays, and the line says what to do", async () => {
  const path = await lockPath();
  const held = { pid: 1, host: `not-${hostname()}`, since: "2026-01-01T00:00:00.000Z", token: "t" };
  await writeFile(path, JSON.stringify(held));
  await expect(takeLock(path, "it")).rejects.toThrow(
    `it is in use by process 1 on not-${hostname()} since 2026-01-01T00:00:00.000Z. Whether it still runs cannot be seen from here; if not, delete a.lock.`,
  );
});

it("a damaged lock is nobody's; of many who ask at once one gets it", async () => {
  const path = await lockPath();
  await writeFile(path, "{");
  const taken = await Promise.allSettled(Array.from({ length: 8 }, () => takeLock(path, "it")));
  const got = taken.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  expect(got).toHaveLength(1);
  await got[0]!();
});
