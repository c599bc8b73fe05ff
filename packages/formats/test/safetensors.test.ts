import { EspalierError, float32, int32, type TensorData } from "@espalier/core";
import { type RawBytes, readSafetensors, writeSafetensors } from "@espalier/formats";
import { describe, expect, it } from "vitest";
import { readStrictly } from "./independent-reader.ts";

const bytes = (...values: number[]) => ({
  dtype: "uint8" as const,
  shape: [values.length],
  data: Uint8Array.from(values),
});

const tensors = new Map<string, TensorData | RawBytes>([
  ["mask", bytes(1, 2, 255)],
  ["weight", float32([2, 3], [1, -2, 3.5, 0, Number.NaN, Number.POSITIVE_INFINITY])],
  ["indices", int32([2], [-7, 2 ** 31 - 1])],
  ["scalar", float32([], [4])],
  ["nothing", float32([0, 5], [])],
]);

/** A file from a header as text and a number of data bytes. */
function fileOf(header: string | object, size = 0, claimed?: bigint): Uint8Array {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const file = new Uint8Array(8 + text.length + size);
  new DataView(file.buffer).setBigUint64(0, claimed ?? BigInt(text.length), true);
  file.set(text, 8);
  return file;
}

const entry = (begin: number, end: number, shape = [(end - begin) / 4], dtype = "F32") => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

function refusal(file: Uint8Array): string {
  try {
    readSafetensors(file, { name: "x.safetensors" });
  } catch (error) {
    expect(error).toBeInstanceOf(EspalierError);
    expect((error as Error).message).not.toContain("\n");
    return (error as Error).message;
  }
  throw new Error("it was read");
}

describe("safetensors", () => {
  it("reads what it writes, and another reader does, too", () => {
    const file = writeSafetensors(tensors, { made: "by a test" });
    const read = readSafetensors(file);
    expect(read.metadata).toEqual({ made: "by a test" });
    for (const [name, tensor] of tensors) {
      expect(read.tensors.get(name) ?? read.bytes.get(name)).toEqual(tensor);
      const { shape, bytes: raw } = readStrictly(file).tensors.get(name)!;
      expect(shape).toEqual(tensor.shape);
      expect(raw).toEqual(new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength));
    }
    expect(writeSafetensors(tensors, { made: "by a test" })).toEqual(file);
  });

  it("keeps names with odd characters", () => {
    const names = ["", " ", 'a"b', "a\\", "ü→𝄞", "0", "__proto__", "constructor", "a/b.c\n", "{}:,"];
    const odd = new Map(names.map((name, i) => [name, float32([1], [i])]));
    const file = writeSafetensors(odd);
    expect([...readStrictly(file).tensors.keys()].sort()).toEqual(names.toSorted());
    for (const [i, name] of names.entries()) expect(readSafetensors(file).tensors.get(name)!.data[0]).toBe(i);
    expect(() => writeSafetensors(new Map([["__metadata__", float32([], [1])]]))).toThrow(/cannot be called/);
  });

  it("reads other number formats, and refuses integers that do not fit", () => {
    const numbers = (dtype: string, data: ArrayBufferView) => {
      const file = fileOf({ x: entry(0, data.byteLength, [2], dtype) }, data.byteLength);
      file.set(new Uint8Array(data.buffer), file.length - data.byteLength);
      return file;
    };
    const read = (file: Uint8Array) => [...readSafetensors(file).tensors.get("x")!.data];
    expect(read(numbers("F64", Float64Array.of(0.5, -3)))).toEqual([0.5, -3]);
    expect(read(numbers("F16", Uint16Array.of(0x3c00, 0xc001)))).toEqual([1, -2 - 2 ** -9]);
    expect(read(numbers("BF16", Uint16Array.of(0x3f80, 0xc040)))).toEqual([1, -3]);
    expect(read(numbers("I64", BigInt64Array.of(5n, -6n)))).toEqual([5, -6]);
    expect(read(numbers("I16", Int16Array.of(5, -6)))).toEqual([5, -6]);
    expect(refusal(numbers("I64", BigInt64Array.of(2n ** 40n, 0n)))).toContain("int32 cannot hold");
    expect(refusal(numbers("F8_E4M3", Uint8Array.of(1, 2)))).toMatch(/"x" is F8_E4M3; known: /);
  });

  it("refuses a file that was cut anywhere", () => {
    const file = writeSafetensors(tensors, { made: "by a test" });
    for (let length = 0; length < file.length; length++) {
      expect(refusal(file.subarray(0, length))).toMatch(/^x\.safetensors: /);
    }
    expect(refusal(Uint8Array.from([...file, 0]))).toContain("its data has");
  });

  const text = '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}';
  it.each([
    [
      "another kind of file",
      new TextEncoder().encode("PK\u0003\u0004 this is something else"),
      "its header claims",
    ],
    ["a header that is no JSON", fileOf("{nothing}"), "not a JSON object"],
    ["a list for a header", fileOf("[]"), "not a JSON object"],
    ["white space before the header", fileOf(" {}"), "not a JSON object"],
    ["text that is not UTF-8", fileOf("{}").with(8, 0xff), "not a JSON object"],
    ["metadata that is not text", fileOf({ __metadata__: { a: 1 } }), "metadata is not text"],
    ["an entry that is none", fileOf({ a: 7 }), '"a" has no valid entry'],
    ["a negative extent", fileOf({ a: entry(0, 4, [-1]) }, 4), '"a" has no valid entry'],
    ["a fraction", fileOf({ a: entry(0, 4, [0.5, 2]) }, 4), '"a" has no valid entry'],
    ["offsets that do not fit the shape", fileOf({ a: entry(0, 4, [2]) }, 4), "needs 8 bytes, but has 4"],
    ["tensors over each other", fileOf({ a: entry(0, 8), b: entry(4, 12) }, 12), '"b" begins at byte 4'],
    ["two tensors in one place", fileOf({ a: entry(0, 4), b: entry(0, 4) }, 4), '"b" begins at byte 0'],
    ["a hole", fileOf({ a: entry(0, 4), b: entry(8, 12) }, 12), '"b" begins at byte 8'],
    [
      "a name twice",
      fileOf(`${text},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4),
      'names "a" twice',
    ],
    ["a name twice, written differently", fileOf(`${text},"\\u0061":{}}`, 4), 'names "a" twice'],
  ])("refuses %s", (_what, file, message) => {
    expect(refusal(file)).toContain(message);
  });

  it("allocates nothing that a file merely claims", () => {
    const before = process.memoryUsage().arrayBuffers;
    expect(refusal(fileOf("{}", 0, 2n ** 62n))).toContain("its header claims");
    expect(refusal(fileOf("{}", 0, 99_999_999n))).toContain("its header claims");
    expect(refusal(fileOf({ a: entry(0, 2 ** 40, [2 ** 38]) }, 4))).toContain("truncated");
    expect(refusal(fileOf({ a: entry(0, 4, [2 ** 50, 2 ** 50]) }, 4))).toContain("needs");
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1e6);
  });
});
