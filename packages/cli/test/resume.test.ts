import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { espalier, type Ran, temporaryFolder, tinyTrain, words } from "./espalier.ts";

/** Runs a command and presses Ctrl-C, so to speak, when stderr says something. */
function interrupted(args: readonly string[], cwd: string, when: RegExp): Promise<Ran> {
  const controller = new AbortController();
  const onNote = (text: string) => {
    if (when.test(text)) controller.abort();
  };
  return espalier(args, { cwd, signal: controller.signal, onNote });
}

describe("a training that is stopped", () => {
  it("keeps the best epoch, says how to go on, and ends as if it had never been stopped", async () => {
    const cwd = await temporaryFolder();
    const line = "--epochs 4 --patience 0 --log log.jsonl";
    const whole = tinyTrain("whole.safetensors", line.replace("log.jsonl", "whole.jsonl"));
    expect(await espalier(whole, { cwd })).toMatchObject({ code: 0 });

    const stopped = await interrupted(tinyTrain("m.safetensors", line), cwd, /epoch 2 /);
    expect(stopped).toMatchObject({ code: 130, stdout: "" });
    const last = stopped.stderr.trim().split("\n").at(-1);
    expect(last).toMatch(
      /^espalier: stopped after 2 epochs; m.safetensors holds the best, epoch \d. To resume: espalier train .* --resume$/,
    );
    expect((await readdir(cwd)).sort()).toEqual([
      "log.jsonl",
      "m.safetensors",
      "m.safetensors.checkpoint",
      "whole.jsonl",
      "whole.safetensors",
    ]);
    expect(await espalier(words("inspect m.safetensors"), { cwd })).toMatchObject({ code: 0 });

    // Again stopped, then to the end: with the very words that were printed.
    const again = words(last!.slice(last!.indexOf("espalier train") + "espalier ".length));
    expect(await interrupted(again, cwd, /epoch 3 /)).toMatchObject({ code: 130 });
    expect(await espalier(again, { cwd })).toMatchObject({ code: 0 });
    expect(await readFile(join(cwd, "m.safetensors"))).toEqual(
      await readFile(join(cwd, "whole.safetensors")),
    );
    const [log, expected] = await Promise.all(
      ["log", "whole"].map((name) => readLog(join(cwd, `${name}.jsonl`))),
    );
    expect(log).toEqual(expected);
    expect(await readdir(cwd)).not.toContain("m.safetensors.checkpoint");
  });

  it("is one command that is repeated until it is done, and then says so", async () => {
    const cwd = await temporaryFolder();
    const train = tinyTrain("m.safetensors", "--epochs 3 --patience 0 --resume");
    expect(await interrupted(train, cwd, /epoch 1 /)).toMatchObject({ code: 130 });
    expect(await espalier(train, { cwd })).toMatchObject({ code: 0 });
    const model = await readFile(join(cwd, "m.safetensors"));
    expect(await espalier(train, { cwd })).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(
        /^m.safetensors {2}finished: 3 epochs, best \d. There is nothing left to train.\n$/,
      ),
    });
    expect(await readFile(join(cwd, "m.safetensors"))).toEqual(model);
    const other = await espalier([...train, "--learning-rate", "0.1"], { cwd });
    expect(other).toMatchObject({ code: 1 });
    expect(other.stderr).toContain("m.safetensors exists and is not the result of this command");
  });

  it("is not forgotten: starting anew needs --force, and going on the same command", async () => {
    const cwd = await temporaryFolder();
    const train = tinyTrain("m.safetensors", "--epochs 3");
    await interrupted(train, cwd, /epoch 1 /);
    const resumed = (more: string) => espalier([...train, ...words(more), "--resume"], { cwd });
    expect((await resumed("--learning-rate 0.1")).stderr).toMatch(
      /^espalier: the checkpoint was trained with learningRate 0.005, but this run has 0.1. Use the same settings, or start again.\n$/,
    );
    expect((await resumed("--set width=8")).stderr).toMatch(
      /^espalier: the checkpoint was trained from another model/,
    );
    expect((await resumed("--series s1,s2,s3,s4,s5,s6,s7 --dataset synthetic")).code).toBe(0);

    const other = tinyTrain("o.safetensors", "--epochs 3");
    await interrupted(other, cwd, /epoch 1 /);
    const anew = await espalier([...other, "--out", "o.safetensors"], { cwd });
    expect(anew.stderr).toMatch(/^espalier: .*o.safetensors exists. Give --force/);
    expect(await espalier([...other, "--force"], { cwd })).toMatchObject({ code: 0 });
  });

  it("before its first epoch is done leaves nothing behind", async () => {
    const cwd = await temporaryFolder();
    const controller = new AbortController();
    controller.abort();
    const { code, stderr } = await espalier(tinyTrain("m.safetensors"), { cwd, signal: controller.signal });
    expect([code, stderr]).toEqual([130, "espalier: stopped.\n"]);
    expect(await readdir(cwd)).toEqual([]);
  });
});

describe("a pruning that is stopped in fine-tuning", () => {
  it("keeps the pruned model as far as it was tuned", async () => {
    const cwd = await temporaryFolder();
    await espalier(tinyTrain("m.safetensors", "--epochs 1"), { cwd });
    const line =
      "prune m.safetensors --strategy unstructured --sparsity 0.5 --fine-tune 3 --batches-per-epoch 3 --out s.safetensors";
    const { code, stdout, stderr } = await interrupted(words(line), cwd, /fine-tune 1 /);
    expect([code, stdout]).toEqual([130, ""]);
    expect(stderr).toMatch(
      /espalier: stopped in step 2 of 2 \(tune\) after 1 epoch; s.safetensors holds the model so far\. To resume: espalier prune .* --resume\n$/,
    );
    const { stdout: seen } = await espalier(words("inspect s.safetensors --json"), { cwd });
    expect(JSON.parse(seen).history).toMatchObject([
      { did: "fit" },
      { did: "prune" },
      { did: "fit", epochs: 1 },
    ]);
  });

  it("between others keeps what was done before it", async () => {
    const cwd = await temporaryFolder();
    await espalier(tinyTrain("m.safetensors", "--epochs 1"), { cwd });
    const line =
      "prune m.safetensors --strategy head --strategy unstructured --sparsity 0.5 --tune each --fine-tune 1 --batches-per-epoch 3 --out s.safetensors";
    const { code, stderr } = await interrupted(words(line), cwd, /fine-tune 1 /);
    expect(code).toBe(130);
    expect(stderr).toMatch(
      /^step 1 of 4: prune by head to sparsity ≥ 29.29 %, or as near as possible\nnearest possible: sparsity \d/,
    );
    expect(stderr).toContain("stopped in step 3 of 4 (prune); s.safetensors holds the model so far.");
    const { stdout } = await espalier(words("inspect s.safetensors --json"), { cwd });
    expect(JSON.parse(stdout).history).toMatchObject([
      { did: "fit" },
      { did: "prune", strategy: "head" },
      { did: "fit" },
    ]);
  });
});

/** Epochs of a log, without the time they took. */
async function readLog(path: string): Promise<unknown[]> {
  const lines = (await readFile(path, "utf8")).trim().split("\n");
  return lines.map((line) => ({ ...JSON.parse(line), seconds: 0 }));
}
