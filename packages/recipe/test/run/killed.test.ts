import { spawn } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { randomStream } from "@espalier/core/graph";
import { describe, expect, it, onTestFinished } from "vitest";
import { RunStore } from "../../src/node/index.ts";
import { model } from "./small.ts";

const script = fileURLToPath(new URL("killed-run.ts", import.meta.url));

/** Runs the script; kills it after so many lines of output, or lets it end. Gives its lines. */
function attempt(folder: string, killAfter = Number.POSITIVE_INFINITY): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--conditions=@espalier/source", script, folder]);
    let text = "";
    let errors = "";
    child.stderr.on("data", (chunk) => {
      errors += chunk;
    });
    child.stdout.on("data", (chunk) => {
      text += chunk;
      if (text.split("\n").length > killAfter) child.kill("SIGKILL");
    });
    child.on("close", (code, signal) =>
      code === 0 || signal === "SIGKILL" ? resolve(text.trim().split("\n")) : reject(new Error(errors)),
    );
  });
}

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "espalier-run-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return join(path, "run");
}

describe("a run that is killed", () => {
  it("ten times at random moments ends as one that was left alone", async () => {
    const whole = (await attempt(await folder())).at(-1);
    expect(whole).toMatch(/^digest [0-9a-f]{64} /);
    const store = await folder();
    const random = randomStream(11, "kill");
    let kills = 0;
    let last: string | undefined;
    while (last === undefined) {
      const lines = await attempt(store, kills < 10 ? 1 + Math.floor(random() * 12) : undefined);
      if (lines.at(-1)!.startsWith("digest ")) last = lines.at(-1);
      else kills++;
    }
    expect(kills).toBeGreaterThanOrEqual(8);
    expect(last).toBe(whole);
  }, 120_000);
});

describe("the store of a run", () => {
  it("writes all models again after it was cleared", async () => {
    const path = await folder();
    const store = new RunStore(path);
    const checkpoint = { run: "a", outcomes: [], dense: model, model };
    await store.save(checkpoint);
    await store.clear();
    await store.save({ ...checkpoint, run: "b" });
    expect((await new RunStore(path).load())!.run).toBe("b");
  });

  it("says what to do where it is damaged, and reads nothing outside its folder", async () => {
    const path = await folder();
    await attempt(path, 25);
    await writeFile(join(path, "run.json"), "{");
    await expect(new RunStore(path).load()).rejects.toThrow(
      /run.json: the unfinished run is damaged. Delete its folder/,
    );
    const outside = { format: 1, run: "a", outcomes: [], dense: "../secret.safetensors", model: "b" };
    await writeFile(join(path, "run.json"), JSON.stringify(outside));
    await expect(new RunStore(path).load()).rejects.toThrow("is damaged");
    await writeFile(join(path, "run.json"), JSON.stringify({ ...outside, format: 2 }));
    await expect(new RunStore(path).load()).rejects.toThrow(/newer than this version/);
    expect((await readdir(path)).length).toBeGreaterThan(1);
  });
});
