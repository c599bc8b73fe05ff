import { spawn } from "node:child_process";
import { readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { temporaryFolder, tinyTrain, words } from "./espalier.ts";

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));

interface Exit {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command as a process of its own; `heard` may send it signals when it has written something. */
function spawned(
  args: readonly string[],
  cwd: string,
  heard: (stderr: string, kill: (signal: NodeJS.Signals) => void) => void = () => {},
): Promise<Exit> {
  const child = spawn(process.execPath, ["--conditions=@espalier/source", main, ...args], {
    cwd,
    env: { ...process.env, NO_COLOR: "1" },
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (data) => {
    stdout += data;
  });
  child.stderr.on("data", (data) => {
    stderr += data;
    heard(stderr, (signal) => child.kill(signal));
  });
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, stdout, stderr })));
}

describe("the process", () => {
  it("prints one JSON document on stdout, and progress on stderr", async () => {
    const cwd = await temporaryFolder();
    const { code, stdout, stderr } = await spawned(tinyTrain("m.safetensors", "--json"), cwd);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ model: { file: "m.safetensors" }, ended: "finished" });
    expect(stderr).toMatch(/^epoch 1 .*\nepoch 2 .*\n$/);
  });

  it("ends in one line and exit code 1 for bad input", async () => {
    const cwd = await temporaryFolder();
    expect(await spawned(words("inspect no.safetensors"), cwd)).toEqual({
      code: 1,
      stdout: "",
      stderr: "espalier: model file no.safetensors: no such file.\n",
    });
  });

  it("goes on when nobody reads what it writes", async () => {
    const cwd = await temporaryFolder();
    const args = ["--conditions=@espalier/source", main, ...tinyTrain("m.safetensors")];
    const child = spawn(process.execPath, args, { cwd });
    child.stdout.destroy();
    child.stderr.destroy();
    expect(await new Promise((resolve) => child.on("close", resolve))).toBe(0);
    expect(await readdir(cwd)).toEqual(["m.safetensors"]);
  });

  // Windows knows no signals between processes: Ctrl-C there comes from the console alone.
  it.skipIf(process.platform === "win32")("keeps what it has at the first Ctrl-C", async () => {
    const cwd = await temporaryFolder();
    let sent = false;
    const { code, stdout, stderr } = await spawned(
      tinyTrain("m.safetensors", "--epochs 10000 --patience 0"),
      cwd,
      (text, kill) => {
        if (sent || !text.includes("epoch     2")) return;
        sent = true;
        // Twice at once, as a package manager passes it on.
        kill("SIGINT");
        kill("SIGINT");
      },
    );
    expect([code, stdout]).toEqual([130, ""]);
    expect(stderr).toMatch(
      /\nstopping; Ctrl-C again quits at once\n(epoch .*\n)*espalier: stopped after \d+ epochs; m.safetensors holds the best[^\n]*\n$/,
    );
    expect(await readdir(cwd)).toEqual(["m.safetensors", "m.safetensors.checkpoint"]);
  });
});
