import { spawn } from "node:child_process";
import { appendFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type SearchRecord, search } from "../src/index.ts";
import { openSearch } from "../src/node/index.ts";
import { request } from "./small.ts";

let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "espalier-search-"));
});
afterAll(() => rm(home, { recursive: true, force: true }));

/** Searches in another process, which dies after so many events. Returns what it says. */
function searching(folder: string, events: readonly number[] = []): Promise<string> {
  const script = fileURLToPath(new URL("killed-search.ts", import.meta.url));
  const words = ["--conditions=@espalier/source", script, folder, ...events.map(String)];
  const child = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => {
    said += chunk;
  });
  return new Promise((resolve) => child.once("close", () => resolve(said)));
}

const timeless = async (folder: string) =>
  (await readFile(join(folder, "search.jsonl"), "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as SearchRecord)
    .map((record) => ("seconds" in record ? { ...record, seconds: 0 } : record));

describe("a search in a folder", () => {
  it("has the same result if its process is killed five times", { timeout: 300_000 }, async () => {
    const whole = join(home, "whole");
    const killed = join(home, "killed");
    const result = await searching(whole);
    // Anywhere: in the midst of an epoch, of a proposal, between two records.
    for (const events of [4, 60, 31, 45, 70]) expect(await searching(killed, [events])).toBe("");
    expect(await searching(killed)).toBe(result);
    expect(result).toMatch(/^chosen \d+ [0-9a-f]+\n$/);
    expect(await timeless(killed)).toEqual(await timeless(whole));
  });

  it("goes on after a line that was cut off, makes a lost model again, and refuses damage", async () => {
    const folder = join(home, "whole");
    const path = join(folder, "search.jsonl");
    const before = await readFile(path, "utf8");
    await appendFile(path, '{"kind":"tri');
    await rm(join(folder, "models"), { recursive: true });
    const store = await openSearch(folder);
    const { chosen } = await search({ ...request, evaluations: 12, store });
    await store.close();
    expect(await readFile(path, "utf8")).toBe(before);
    expect(chosen!.model.history.length).toBeGreaterThan(1);
    await appendFile(path, "{}\n");
    await expect(openSearch(folder)).rejects.toThrow(/search\.jsonl, line \d+: not a record of a search\./);
  });

  it("is used by one process at a time", async () => {
    const store = await openSearch(join(home, "locked"));
    await expect(openSearch(join(home, "locked"))).rejects.toThrow(/locked/);
    await store.close();
    await (await openSearch(join(home, "locked"))).close();
  });
});
