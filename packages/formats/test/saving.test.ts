import { execFile } from "node:child_process";
import {
  appendFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { digest, EspalierError, type Model } from "@espalier/core";
import { drawEncoder, modelOf } from "@espalier/core/testing";
import {
  checkFolderReplaceable,
  checkReplaceable,
  loadModel,
  makeFolder,
  saveModel,
  UnwritableError,
  writing,
} from "@espalier/formats/node";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";

const model = modelOf(drawEncoder());
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "espalier-formats-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
});

describe("saving a model", () => {
  it("gives a file that loads, and nothing beside it", async () => {
    const path = join(folder, "small model ü.safetensors");
    await saveModel(path, model);
    expect(digest(await loadModel(path))).toBe(digest(model));
    expect(await readdir(folder)).toEqual(["small model ü.safetensors"]);
  });

  it("replaces a file only when asked to", async () => {
    const path = join(folder, "m.safetensors");
    await writeFile(path, "old");
    await expect(saveModel(path, model)).rejects.toThrow(/m\.safetensors exists\. Give --force/);
    expect(await readFile(path, "utf8")).toBe("old");
    await saveModel(path, model, { force: true });
    expect(digest(await loadModel(path))).toBe(digest(model));
  });

  it("keeps what existed where it fails", async () => {
    const path = join(folder, "m.safetensors");
    await writeFile(path, "old");
    const impossible: Model = {
      ...model,
      graph: { ...model.graph, tensors: [{ name: "__metadata__", role: "buffer", value: 1 }] },
      tensors: new Map([["__metadata__", model.tensors.get("embedding.bias")!]]),
    };
    await expect(saveModel(path, impossible, { force: true })).rejects.toThrow(/cannot be called/);
    expect(await readFile(path, "utf8")).toBe("old");
    expect(await readdir(folder)).toEqual(["m.safetensors"]);
  });

  it.skipIf(process.platform === "win32")("keeps what existed where the disk is full", async () => {
    const path = join(folder, "m.safetensors");
    await writeFile(path, "old");
    const child = fileURLToPath(new URL("save-large-model.ts", import.meta.url));
    const node = `"${process.execPath}" --conditions=@espalier/source "${child}" "${path}"`;
    const { stdout } = await promisify(execFile)("sh", ["-c", `ulimit -f 8; ${node}`]);
    expect(stdout).toBe(`cannot write ${path}: the file would be larger than the system allows.\n`);
    expect(await readFile(path, "utf8")).toBe("old");
    expect(await readdir(folder)).toEqual(["m.safetensors"]);
  });

  it("names what is in the way", async () => {
    await mkdir(join(folder, "sub"));
    const save = (...path: string[]) => saveModel(join(folder, ...path), model, { force: true });
    await expect(save("sub")).rejects.toThrow(/is a folder\. Give the name of a file/);
    await expect(save("none", "m.safetensors")).rejects.toThrow(/no such folder/);
    for (const path of [join(folder, "sub"), join(folder, "none.safetensors")]) {
      await expect(loadModel(path)).rejects.toBeInstanceOf(EspalierError);
    }
  });

  it("replaces the file that a link stands for, and no device", async () => {
    const link = join(folder, "link.safetensors");
    await writeFile(join(folder, "m.safetensors"), "old");
    await symlink("m.safetensors", link);
    await saveModel(link, model, { force: true });
    expect(await readlink(link)).toBe("m.safetensors");
    expect(digest(await loadModel(join(folder, "m.safetensors")))).toBe(digest(model));
    await expect(checkReplaceable("/dev/null", true)).rejects.toThrow("/dev/null is not a file.");
  });

  it.skipIf(process.platform !== "linux")(
    "names what cannot be written, before and after the work",
    async () => {
      const disk = writing("m.csv", () => appendFile("/dev/full", "a row"));
      await expect(disk).rejects.toThrow("cannot write m.csv: the disk is full.");
      await expect(disk).rejects.toBeInstanceOf(UnwritableError);
      // Even root makes nothing there.
      const refused = "no permission to write in the folder /sys|the folder /sys is read-only";
      await expect(checkReplaceable("/sys/m.csv")).rejects.toThrow(
        new RegExp(`cannot write /sys/m.csv: (${refused})\\.`),
      );
      await expect(makeFolder("/sys/a/b")).rejects.toThrow(
        new RegExp(`cannot write /sys/a: (${refused})\\.`),
      );
      await expect(checkFolderReplaceable("/sys/web")).rejects.toThrow(UnwritableError);
    },
  );
});
