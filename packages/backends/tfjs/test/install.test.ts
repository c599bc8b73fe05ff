import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EspalierError } from "@espalier/core";
import { TextReader, Uint8ArrayWriter, ZipWriter } from "@zip.js/zip.js";
import { describe, expect, it, onTestFinished } from "vitest";
import { tfjs } from "../src/index.ts";
import { installTensorflow, uninstallTensorflow } from "../src/install/index.ts";
import { takeFromWheel } from "../src/install/wheel.ts";

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "espalier-tensorflow-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

const parts = {
  "tensorflow/libtensorflow_framework.so.2": "framework",
  "tensorflow/libtensorflow_cc.so.2": "library",
  "tensorflow/include/tensorflow/c/c_api.h": "interface",
  "tensorflow/include/tensorflow/core/graph/graph.h": "not of the C interface",
  "tensorflow/python/keras.py": "python",
};
const list = "tensorflow_cpu-2.21.0.dist-info/RECORD";

function line(name: string, text: string): string {
  const hash = createHash("sha256").update(text).digest("base64url");
  return `${name},sha256=${hash},${Buffer.byteLength(text)}`;
}

/** A wheel with these files; `record` is its list of them. */
async function writeWheel(
  folder: string,
  files: Readonly<Record<string, string>> = parts,
  record = Object.entries(files).map(([name, text]) => line(name, text)),
): Promise<string> {
  const zip = new ZipWriter(new Uint8ArrayWriter(), { useWebWorkers: false });
  for (const [name, text] of Object.entries(files)) await zip.add(name, new TextReader(text));
  if (record.length > 0) await zip.add(list, new TextReader(`${record.join("\n")}\n${list},,\n`));
  const path = join(folder, "tensorflow_cpu-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl");
  await writeFile(path, await zip.close());
  return path;
}

async function take(folder: string, wheel: string) {
  const targets = { libraries: join(folder, "out/lib"), headers: join(folder, "out/include") };
  return takeFromWheel(wheel, targets);
}

describe("a wheel", () => {
  it("gives the libraries and the headers of the C interface, and nothing else", async () => {
    const folder = await temporaryFolder();
    await take(folder, await writeWheel(folder));
    const names = await readdir(join(folder, "out"), { recursive: true });
    expect(names.sort()).toEqual([
      "include",
      "include/tensorflow",
      "include/tensorflow/c",
      "include/tensorflow/c/c_api.h",
      "lib",
      "lib/libtensorflow_cc.so.2",
      "lib/libtensorflow_framework.so.2",
    ]);
    expect(await readFile(join(folder, "out/lib/libtensorflow_cc.so.2"), "utf8")).toBe("library");
  });

  it.each(["tensorflow/include/tensorflow/c/../../../../../../evil.h", "tensorflow/include/xla/tsl/c//x.h"])(
    "with the path %s is refused, and writes nothing",
    async (path) => {
      const folder = await temporaryFolder();
      const wheel = await writeWheel(folder, { ...parts, [path]: "evil" });
      await expect(take(folder, wheel)).rejects.toThrow(
        /is outside its folder|Unsafe|cannot be read as a wheel/,
      );
      expect(await readdir(folder)).toHaveLength(1);
    },
  );

  it("with a file that is not what its list says is refused", async () => {
    const folder = await temporaryFolder();
    const good = Object.entries(parts).map(([name, text]) => line(name, text));
    const other = good.map((one) =>
      one.includes("_cc") ? line("tensorflow/libtensorflow_cc.so.2", "Library") : one,
    );
    const wheel = await writeWheel(folder, parts, other);
    await expect(take(folder, wheel)).rejects.toThrow(/libtensorflow_cc\.so\.2 has another checksum/);
    const longer = good.map((one) => one.replace(/,7$/, ",7000000000"));
    await expect(take(folder, await writeWheel(folder, parts, longer))).rejects.toThrow(
      /libtensorflow_cc\.so\.2 differs from its entry in the list of files/,
    );
  });

  it("whose bytes are damaged is refused", async () => {
    const folder = await temporaryFolder();
    const wheel = await writeWheel(folder);
    const bytes = await readFile(wheel);
    // The first byte of the library's contents, which are stored as they are or in one block.
    const at = bytes.indexOf("libtensorflow_cc.so.2") + "libtensorflow_cc.so.2".length + 12;
    bytes[at] = bytes[at]! ^ 0xff;
    await writeFile(wheel, bytes);
    await expect(take(folder, wheel)).rejects.toThrow(EspalierError);
  });

  it.each([
    ["another package", { "numpy/a.py": "x" }, [], "not a wheel of tensorflow-cpu"],
    [
      "no library",
      { "tensorflow/include/tensorflow/c/c_api.h": "x" },
      undefined,
      "it has no libtensorflow_framework",
    ],
  ] as const)("of %s is refused", async (_, files, record, message) => {
    const folder = await temporaryFolder();
    const wheel = await writeWheel(folder, files, record as string[] | undefined);
    await expect(take(folder, wheel)).rejects.toThrow(message);
  });

  it("that is no archive is refused", async () => {
    const folder = await temporaryFolder();
    const wheel = join(folder, "a.whl");
    await writeFile(wheel, "not a zip archive");
    await expect(take(folder, wheel)).rejects.toThrow("cannot be read as a wheel");
  });
});

describe.skipIf(process.platform !== "linux")("an installation", () => {
  it("that fails leaves nothing, and what was there as it was", async () => {
    const [cache, folder] = [await temporaryFolder(), await temporaryFolder()];
    const wheel = await writeWheel(folder, { ...parts, "tensorflow/libtensorflow_cc.so.2": "other" }, [
      ...Object.entries(parts).map(([name, text]) => line(name, text)),
    ]);
    const installed = join(cache, "backends/tensorflow");
    await mkdir(installed, { recursive: true });
    await writeFile(join(installed, "kept"), "");
    await expect(installTensorflow({ wheel, cache })).rejects.toThrow(EspalierError);
    await expect(installTensorflow({ wheel: join(folder, "none.whl"), cache })).rejects.toThrow(
      "no such file",
    );
    expect(await readdir(join(cache, "backends"))).toEqual(["tensorflow"]);
    expect(await readdir(installed)).toEqual(["kept"]);
  });

  it("that was stopped leaves nothing, and says that it was stopped", async () => {
    const [cache, folder] = [await temporaryFolder(), await temporaryFolder()];
    const wheel = await writeWheel(folder);
    const stop = new AbortController();
    const running = installTensorflow({
      wheel,
      cache,
      signal: stop.signal,
      onProgress: ({ label }) => label.startsWith("take") && stop.abort(),
    });
    await expect(running).rejects.toThrow("aborted");
    expect(await readdir(join(cache, "backends"))).toEqual([]);
  });

  it("is taken away whole, with what a killed process left", async () => {
    const cache = await temporaryFolder();
    expect(await uninstallTensorflow(cache)).toBeUndefined();
    const folder = join(cache, "backends");
    const dead = join(folder, ".tensorflow.999999999.0badcafe.part");
    const living = join(folder, `.tensorflow.${process.pid}.0badcafe.part`);
    for (const name of [dead, living, join(folder, "tensorflow/lib")]) await mkdir(name, { recursive: true });
    await writeFile(join(folder, "tensorflow/lib/library"), "12345");
    expect(await uninstallTensorflow(cache)).toEqual({ folder: join(folder, "tensorflow"), bytes: 5 });
    expect(existsSync(dead)).toBe(false);
    expect(await readdir(folder)).toEqual([`.tensorflow.${process.pid}.0badcafe.part`]);
  });
});

describe("the backend tensorflow", () => {
  it("names the command that gets it where it is not installed", async () => {
    const cache = await temporaryFolder();
    expect(await tfjs({ kind: "tensorflow", cache }).availability()).toEqual({
      available: false,
      detail: "libtensorflow is missing: espalier backends install tensorflow",
      command: "espalier backends install tensorflow",
    });
  });
});
