import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { EspalierError } from "@espalier/core";
import { randomStream } from "@espalier/core/graph";
import { readCheckpoint, readPytorch } from "@espalier/formats";
import { Uint8ArrayReader, Uint8ArrayWriter, ZipReader, ZipWriter } from "@zip.js/zip.js";
import { describe, expect, it } from "vitest";

const folder = fileURLToPath(new URL("pytorch", import.meta.url));
const bytesOf = (file: string) => new Uint8Array(readFileSync(join(folder, file)));
const read = (file: string) => readPytorch(bytesOf(file), { name: file });

/** What make.py fills tensors with: −1, −0.75, −0.5, … */
const counting = (size: number) => Array.from({ length: size }, (_, i) => i / 4 - 1);

/** Where the shape (2, 3) of the first weight begins: BININT1 2, BININT1 3, TUPLE2. */
const shapeIn = (bytes: Uint8Array) =>
  1 + bytes.findIndex((_, i) => [0x4b, 2, 0x4b, 3, 0x86].every((byte, k) => bytes[i + k] === byte));

/** A checkpoint with another pickle in it, packed or not, and sound checksums. */
async function repacked(
  file: string,
  change: (pickle: Uint8Array) => Uint8Array,
  level = 0,
): Promise<Uint8Array> {
  const options = { useWebWorkers: false };
  const entries = await new ZipReader(new Uint8ArrayReader(bytesOf(file)), options).getEntries();
  const writer = new ZipWriter(new Uint8ArrayWriter(), { ...options, level });
  for (const entry of entries) {
    if (entry.directory) continue;
    const bytes = await entry.getData(new Uint8ArrayWriter(), options);
    const content = entry.filename.endsWith("data.pkl") ? change(bytes) : bytes;
    await writer.add(entry.filename, new Uint8ArrayReader(content));
  }
  return writer.close();
}

describe("a checkpoint that PyTorch saved", () => {
  it("gives the tensors of a state dict", async () => {
    const { tensors, ignored } = await read("module.pth");
    expect([...tensors.keys()]).toEqual([
      "linear.weight",
      "linear.bias",
      "norm.weight",
      "norm.bias",
      "norm.running_mean",
      "norm.running_var",
      "norm.num_batches_tracked",
    ]);
    expect(ignored).toEqual([]);
    expect(tensors.get("linear.weight")).toEqual({
      dtype: "float32",
      shape: [2, 3],
      data: Float32Array.from(counting(6)),
    });
    expect(tensors.get("norm.num_batches_tracked")).toEqual({
      dtype: "int32",
      shape: [],
      data: Int32Array.of(0),
    });
  });

  it("is found beside other things, and without the prefix of DataParallel", async () => {
    const plain = (await read("module.pth")).tensors;
    const wrapped = await read("wrapped.pth");
    expect(wrapped.tensors).toEqual(plain);
    expect(wrapped.ignored).toEqual(["epoch", "optimizer"]);
    expect((await read("parallel.pth")).tensors).toEqual(plain);
  });

  it("may hold every number format, and views of shared storage", async () => {
    const { tensors } = await read("numbers.pth");
    const data = (name: string) => [...tensors.get(name)!.data];
    expect(data("float64")).toEqual(counting(4));
    expect(data("float16")).toEqual(counting(5));
    expect(data("bfloat16")).toEqual(counting(5));
    expect(data("int64")).toEqual([1, -2, 3, 2 ** 31 - 1]);
    for (const name of ["int32", "int16", "int8"]) expect(data(name)).toEqual([-5, 6]);
    expect(data("uint8")).toEqual([5, 200]);
    expect(data("bool")).toEqual([1, 0]);
    expect(tensors.get("scalar")).toEqual({ dtype: "float32", shape: [], data: Float32Array.of(2.5) });
    expect(tensors.get("empty")!.shape).toEqual([0, 3]);
    expect(data("parameter")).toEqual(counting(3));
    const base = counting(24);
    expect(data("tied")).toEqual(base);
    expect(tensors.get("transposed")!.shape).toEqual([6, 4]);
    expect(data("transposed")).toEqual(base.map((_, i) => base[(i % 4) * 6 + Math.floor(i / 4)]));
    expect(data("sliced")).toEqual([6, 8, 10, 12, 14, 16].map((i) => base[i]));
  });

  it("is told from safetensors by its first bytes", async () => {
    expect((await readCheckpoint(bytesOf("module.pth"))).get("linear.bias")!.shape).toEqual([2]);
  });
});

describe("what is no state dict is refused in one line", () => {
  it.each([
    ["call.pth", "calls posix.system; only tensors and plain containers are read, and nothing is run"],
    ["call-protocol-4.pth", "calls posix.system; only tensors"],
    ["whole-module.pth", "0x81, which tensors and plain containers do not need"],
    ["legacy.pth", "saved by PyTorch before 1.6"],
    ["script.pth", "TorchScript archive"],
    ["list.pth", "not a state dict, but a list"],
    ["no-tensors.pth", "contains no state dict (it holds epoch)"],
    ["large-integer.pth", "holds 1099511627776, which int32 cannot hold"],
  ])("%s", async (file, message) => {
    const error = await read(file).catch((thrown: unknown) => thrown as Error);
    expect(error).toBeInstanceOf(EspalierError);
    expect((error as Error).message).toContain(message);
    expect((error as Error).message).not.toContain("\n");
    expect(existsSync(join(folder, "ran"))).toBe(false);
    expect(existsSync("ran")).toBe(false);
  });

  it("text, and nothing at all", async () => {
    for (const bytes of [new TextEncoder().encode("date,a,b\n1,2,3\n"), new Uint8Array()]) {
      await expect(readPytorch(bytes)).rejects.toThrow("neither safetensors nor a PyTorch checkpoint");
    }
  });

  it("a pickle whose bytes no longer fit its checksum", async () => {
    const bytes = bytesOf("module.pth");
    bytes[shapeIn(bytes)] = 200;
    await expect(readPytorch(bytes, { name: "a" })).rejects.toThrow(/^a: data\.pkl is damaged/);
  });

  it("a tensor that claims more than its storage holds", async () => {
    const bytes = await repacked("module.pth", (pickle) =>
      pickle.fill(200, shapeIn(pickle), shapeIn(pickle) + 1),
    );
    await expect(readPytorch(bytes, { name: "a" })).rejects.toThrow(
      'a: tensor "linear.weight" [200, 3] needs more numbers than the file holds for it.',
    );
  });

  it("keys that are nested without end", async () => {
    // Tuples of themselves: EMPTY_LIST, BINPUT 0, then (POP, BINGET i, BINGET i, TUPLE2, BINPUT i + 1) 60 times.
    const twice = Array.from({ length: 60 }, (_, i) => [0x30, 0x68, i, 0x68, i, 0x86, 0x71, i + 1]).flat();
    // 200,000 TUPLE1.
    const deep = new Array<number>(200_000).fill(0x85);
    for (const key of [
      [0x5d, 0x71, 0, ...twice],
      [0x5d, ...deep],
    ]) {
      const bytes = await repacked("module.pth", () =>
        Uint8Array.from([0x80, 2, 0x7d, ...key, 0x4b, 1, 0x73, 0x2e]),
      );
      await expect(readPytorch(bytes, { name: "a" })).rejects.toThrow(
        "a: it contains no state dict (it holds a tuple).",
      );
    }
  });

  it("a small file that unpacks to a large one, or builds containers without end", async () => {
    const containers = () => new Uint8Array(2 ** 22).fill(0x7d);
    await expect(readPytorch(await repacked("module.pth", containers, 9), { name: "a" })).rejects.toThrow(
      "a: it unpacks to more than 16 times its size",
    );
    await expect(readPytorch(await repacked("module.pth", containers), { name: "a" })).rejects.toThrow(
      "a: its pickle has more than 2,097,152 steps, which no state dict needs.",
    );
  });

  it("a pickle with any bytes changed, its checksum put right", async () => {
    const random = randomStream(2, "pickles");
    for (let i = 0; i < 150; i++) {
      const bytes = await repacked(i % 2 ? "module.pth" : "numbers.pth", (pickle) => {
        for (let k = 0; k <= i % 5; k++)
          pickle[Math.floor(random() * pickle.length)] = Math.floor(random() * 256);
        return pickle;
      });
      const result = await readPytorch(bytes).catch((error: unknown) => error);
      if (result instanceof Error) expect(result, result.stack).toBeInstanceOf(EspalierError);
    }
  });

  it("anything cut short or with bytes changed, without a crash or a huge allocation", async () => {
    const random = randomStream(1, "mutations");
    const files = ["module.pth", "numbers.pth", "wrapped.pth", "call.pth"].map(bytesOf);
    for (let i = 0; i < 400; i++) {
      const original = files[i % files.length]!;
      const mutated = original.slice(0, i % 3 === 0 ? Math.floor(random() * original.length) : undefined);
      for (let k = 0; k < 1 + (i % 8); k++)
        mutated[Math.floor(random() * mutated.length)] = Math.floor(random() * 256);
      const result = await readPytorch(mutated).catch((error: unknown) => error);
      if (result instanceof Error) expect(result, result.stack).toBeInstanceOf(EspalierError);
    }
  });
});
