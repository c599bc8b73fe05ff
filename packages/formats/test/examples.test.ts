import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { Builder, batch, type Graph, gather, scale } from "@espalier/core/graph";
import { loadExample, testDataBeside } from "@espalier/formats/node";
import { Uint8ArrayReader, Uint8ArrayWriter, ZipWriter } from "@zip.js/zip.js";
import { TensorProtoSchema, TensorProto_DataType as Type } from "onnx-buf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

let folder: string;
const at = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "espalier-examples-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Takes a table [2, 3] a sample, and indices. */
function graph(): Graph {
  const b = Builder.create();
  const [x, i] = [b.input("x", [batch, 2, 3]), b.input("i", [2], "int32")];
  b.output("y", gather(b, scale(b, x, 2), i, 1));
  return b.build().graph;
}

/** As numpy.save writes an array. */
function npy(descr: string, shape: readonly number[], data: ArrayBufferView, fortran = false): Uint8Array {
  const extents = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const text = `{'descr': '${descr}', 'fortran_order': ${fortran ? "True" : "False"}, 'shape': (${extents}), }`;
  const header = `${text.padEnd(117)}\n`;
  const bytes = new Uint8Array(10 + header.length + data.byteLength);
  bytes.set([0x93, ...new TextEncoder().encode("NUMPY"), 1, 0, header.length, 0]);
  bytes.set(new TextEncoder().encode(header), 10);
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 10 + header.length);
  return bytes;
}

async function npz(name: string, arrays: Readonly<Record<string, Uint8Array>>): Promise<string> {
  const zip = new ZipWriter(new Uint8ArrayWriter(), { useWebWorkers: false });
  for (const [array, bytes] of Object.entries(arrays))
    await zip.add(`${array}.npy`, new Uint8ArrayReader(bytes));
  await writeFile(at(name), await zip.close());
  return at(name);
}

describe("examples", () => {
  const x = Array.from({ length: 12 }, (_, i) => i);

  it("are read from NumPy's archives, in every order and number format", async () => {
    const path = await npz("both.npz", {
      // [2, 2, 3] with the first axis fastest.
      x: npy("<f8", [2, 2, 3], Float64Array.of(0, 6, 3, 9, 1, 7, 4, 10, 2, 8, 5, 11), true),
      i: npy("<i8", [2], BigInt64Array.of(1n, 0n)),
      y: npy("<f4", [2, 2, 3], Float32Array.from(x)),
    });
    const { name, inputs, outputs } = await loadExample(path, graph());
    expect(name).toBe("both.npz");
    expect(inputs.get("x")).toEqual({ dtype: "float32", shape: [2, 2, 3], data: Float32Array.from(x) });
    expect(inputs.get("i")).toEqual({ dtype: "int32", shape: [2], data: Int32Array.of(1, 0) });
    expect([...outputs.get("y")!.data]).toEqual(x);
  });

  it("are read from JSON as nested lists, or as shape and data", async () => {
    const nested = [
      [
        [0, 1, 2],
        [3, "nan", "-inf"],
      ],
    ];
    await writeFile(at("a.json"), JSON.stringify({ x: nested, i: { shape: [2], data: [1, 0] } }));
    const { inputs, outputs } = await loadExample(at("a.json"), graph());
    expect([...inputs.get("x")!.data]).toEqual([0, 1, 2, 3, Number.NaN, Number.NEGATIVE_INFINITY]);
    expect(outputs.size).toBe(0);
  });

  it("are read from the folders of ONNX's tools, by place where tensors have no names", async () => {
    await mkdir(at("test_data_set_0"));
    await mkdir(at("test_data_set_10"));
    await mkdir(at("test_data_set_2"));
    const write = (file: string, dims: bigint[], fields: object) =>
      writeFile(
        at(`test_data_set_0/${file}`),
        toBinary(TensorProtoSchema, create(TensorProtoSchema, { dims, ...fields })),
      );
    await write("input_0.pb", [1n, 2n, 3n], { dataType: Type.FLOAT, floatData: x.slice(0, 6) });
    await write("input_1.pb", [2n], { dataType: Type.INT64, int64Data: [0n, 1n], name: "i" });
    await write("output_0.pb", [1n, 2n, 3n], { dataType: Type.FLOAT, floatData: x.slice(6) });
    const folders = await testDataBeside(at("model.onnx"));
    expect(folders.map((one) => one.slice(folder.length + 1))).toEqual([
      "test_data_set_0",
      "test_data_set_2",
      "test_data_set_10",
    ]);
    const { inputs, outputs } = await loadExample(folders[0]!, graph());
    expect([...inputs.keys()]).toEqual(["x", "i"]);
    expect([...outputs.get("y")!.data]).toEqual(x.slice(6));
  });

  it("are refused in a line where they do not fit", async () => {
    const fault = async (arrays: Readonly<Record<string, Uint8Array>>) =>
      loadExample(await npz("odd.npz", arrays), graph()).then(
        () => "",
        ({ message }: Error) => message,
      );
    const floats = (...shape: number[]) =>
      npy("<f4", shape, new Float32Array(shape.reduce((n, m) => n * m, 1)));
    const i = npy("<i4", [2], Int32Array.of(0, 1));
    expect(await fault({ i })).toMatch(/it has no array "x", which the model takes\. It has i\./);
    expect(await fault({ x: floats(2, 3), i })).toMatch(
      /"x" has shape \[2, 3\], the model's is \[batch, 2, 3\]/,
    );
    expect(await fault({ x: floats(2, 2, 3), i, y: floats(3, 2, 3) })).toMatch(/2 and 3 samples/);
    expect(await fault({ x: npy("<c8", [1], new Float32Array(2)) })).toMatch(/array "x" holds <c8/);
    expect(await fault({ x: floats(2, 2, 3).subarray(0, 150) })).toMatch(/array "x" is damaged/);
    await writeFile(at("text.json"), "x = 1");
    await expect(loadExample(at("text.json"), graph())).rejects.toThrow(/it is not JSON/);
    await writeFile(at("ragged.json"), JSON.stringify({ x: [[1, 2], [3]] }));
    await expect(loadExample(at("ragged.json"), graph())).rejects.toThrow(
      /array "x" is not an array of numbers/,
    );
  });
});
