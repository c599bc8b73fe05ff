import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { EspalierError } from "@espalier/core";
import { randomStream } from "@espalier/core/graph";
import { readOnnx, writeOnnx } from "@espalier/formats";
import { loadOnnx } from "@espalier/formats/node";
import { iTransformer } from "@espalier/models";
import {
  FunctionProtoSchema,
  TensorProto_DataLocation as Location,
  ModelProtoSchema,
  StringStringEntryProtoSchema,
  TensorProtoSchema,
  TensorProto_DataType as Type,
} from "onnx-buf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { int, text } from "../src/onnx/proto.ts";
import { type FileParts, floats, graphAttribute, longs, node, onnxFile, weight } from "./onnx-build.ts";
import { files, folder } from "./onnx-cases.ts";

/** Milliseconds that this process has computed, however busy the machine is. */
function computed(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** The line a file is refused with. It has to come soon, and without memory for what the file merely claims. */
async function refusal(read: () => unknown): Promise<string> {
  const before = process.memoryUsage().rss;
  const start = computed();
  let line = "not refused";
  try {
    await read();
  } catch (error) {
    expect(error).toBeInstanceOf(EspalierError);
    line = (error as Error).message;
  }
  expect(computed() - start).toBeLessThan(5000);
  expect(process.memoryUsage().rss - before).toBeLessThan(500e6);
  expect(line).not.toMatch(/\n|not refused/);
  expect(line.length).toBeLessThan(1500);
  return line;
}

const refused = (parts: FileParts) => refusal(() => readOnnx(onnxFile(parts)));
const x = { x: ["batch", 4] } as const;
/** A file that Espalier wrote. */
const own = writeOnnx(
  iTransformer({
    inputLength: 8,
    horizon: 4,
    series: 2,
    width: 8,
    heads: 2,
    layers: 1,
    feedForward: 8,
  }).initialize(),
);
const relu = { inputs: x, nodes: [node("Relu", ["x"], "y")] };
const claimed = (fields: object, dims: bigint[] = [4n]): FileParts => ({
  inputs: x,
  nodes: [node("Add", ["x", "w"], "y")],
  initializers: [create(TensorProtoSchema, { name: "w", dataType: Type.FLOAT, dims, ...fields })],
});

describe("what is no ONNX model", () => {
  it.each<[string, Uint8Array]>([
    ["nothing", new Uint8Array()],
    ["text", new TextEncoder().encode("not a model")],
    ["a PNG image", Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)],
    ["a field longer than the file", Uint8Array.of(0x3a, 0xff, 0xff, 0xff, 0xff, 0x07, 0x0a)],
    ["a number without an end", new Uint8Array(64).fill(0xff)],
    ["messages in messages in messages", nested(5000)],
  ])("is refused: %s", async (_name, bytes) => {
    expect(await refusal(() => readOnnx(bytes))).toMatch(/not an ONNX model, or damaged/);
  });
});

/** A graph in an attribute of a node of a graph in an attribute …: fields 1, 5, 6 of their messages. */
function nested(depth: number): Uint8Array {
  let inner: number[] = [];
  for (let i = 0; i < depth && inner.length < 20_000; i++) {
    for (const field of [0x32, 0x2a, 0x0a]) {
      const { length } = inner;
      inner = [field, ...(length < 128 ? [length] : [(length & 127) | 128, length >> 7]), ...inner];
    }
  }
  return Uint8Array.from([0x3a, (inner.length & 127) | 128, inner.length >> 7, ...inner]);
}

describe("tensors", () => {
  it.each<[string, object, bigint[], RegExp]>([
    ["absurd extents", {}, [2n ** 62n, 2n ** 62n], /an axis cannot have length 4611686018427387904/],
    ["negative extents", {}, [-4n], /an axis cannot have length -4/],
    [
      "more than the file holds",
      { rawData: new Uint8Array(16) },
      [1n << 30n, 4n],
      /needs 4294967296 numbers, but the file holds 4/,
    ],
    ["half a number", { rawData: new Uint8Array(15) }, [4n], /needs 4 numbers, but the file holds 3\.75/],
    ["the wrong field", { doubleData: [1, 2, 3, 4] }, [4n], /needs 4 numbers, but the file holds 0/],
    ["text", { dataType: Type.STRING }, [4n], /string cannot be read/],
    ["a thousand axes", {}, new Array(1000).fill(1n), /has 1000 axes/],
  ])("with %s are refused", async (_name, fields, dims, message) => {
    expect(await refused(claimed(fields, dims))).toMatch(message);
  });

  it("are not made because a node asks for them", async () => {
    const huge = longs("huge", [2 ** 20, 2 ** 20]);
    const asked: [string, FileParts["nodes"]][] = [
      ["ConstantOfShape", [node("ConstantOfShape", ["huge"], "y")]],
      ["Expand", [node("Expand", ["one", "huge"], "y")]],
      ["Tile", [node("Tile", ["one", "huge"], "y")]],
      ["Range", [node("Range", ["start", "end", "step"], "y")]],
    ];
    for (const [name, nodes] of asked) {
      const initializers = [
        huge,
        ...["start", "end", "step"].map((n, i) => longs(n, [[0, 2 ** 50, 1][i]!])),
        create(TensorProtoSchema, { name: "one", dataType: Type.INT64, dims: [1n, 1n], int64Data: [1n] }),
      ];
      expect(await refused({ inputs: x, nodes, initializers }), name).toMatch(/is too large/);
    }
    const repeated = {
      inputs: x,
      nodes: [node("Expand", ["x", "wide"], "y")],
      initializers: [longs("wide", [2 ** 20, 2 ** 20, 1, 4])],
    };
    expect(await refused(repeated)).toMatch(
      /computes a value of shape \[1048576, 1048576, batch, 4\], which is too large/,
    );
  });

  it("are not listed position by position where they are long", async () => {
    const asked: [FileParts["nodes"], number[], RegExp][] = [
      [
        [node("Pad", ["x", "n"], "y", { mode: text("reflect") })],
        [0, 2 ** 22, 0, 2 ** 22],
        /would list \d+ positions/,
      ],
      [
        [node("Tile", ["x", "n"], "y")],
        [1, 2 ** 28],
        /\(Tile\): it computes a value of shape \[batch, 1073741824\]/,
      ],
      [[node("Tile", ["x", "n"], "y")], [1, -3], /cannot repeat an axis -3 times/],
      [
        [node("Tile", ["x", "n"], "long"), node("SplitToSequence", ["long"], "y", { axis: int(1) })],
        [1, 2 ** 20],
        /at most 8192/,
      ],
    ];
    for (const [nodes, n, message] of asked)
      expect(await refused({ inputs: x, nodes, initializers: [longs("n", n)] })).toMatch(message);
  });

  it("cannot be many small ones that grow together", async () => {
    const nodes = Array.from({ length: 40 }, (_, i) =>
      node("Concat", [`a${i}`, `a${i}`], `a${i + 1}`, { axis: int(0) }),
    );
    expect(
      await refused({ inputs: x, nodes, outputs: ["a40"], initializers: [longs("a0", [1, 2])] }),
    ).toMatch(/too large|too many constants/);
  });
});

describe("graphs", () => {
  it("that call themselves, or grow with every call, are refused", async () => {
    const f = (name: string, calls: string[]) =>
      create(FunctionProtoSchema, {
        name,
        domain: "f",
        input: ["a"],
        output: [`r${calls.length}`],
        node: calls.map((callee, i) =>
          node(callee, [i === 0 ? "a" : `r${i}`], `r${i + 1}`, {}, callee === "Relu" ? "" : "f"),
        ),
      });
    const parts = { inputs: x, nodes: [node("f0", ["x"], "y", {}, "f")], domains: ["f"] };
    expect(await refused({ ...parts, functions: [f("f0", ["f0"])] })).toMatch(/nested too deeply/);
    const levels = Array.from({ length: 15 }, (_, i) =>
      f(`f${i}`, new Array(10).fill(i === 14 ? "Relu" : `f${i + 1}`)),
    );
    expect(await refused({ ...parts, functions: levels })).toMatch(/more than 200000 nodes/);
    // Two seconds alone.
  }, 60_000);

  it("with branches inside branches are refused", async () => {
    let parts: FileParts = { outputs: ["r"], nodes: [node("Relu", ["x"], "r")] };
    for (let i = 0; i < 20; i++) {
      const branch = graphAttribute(parts);
      parts = {
        outputs: ["r"],
        nodes: [node("If", ["yes"], "r", { then_branch: branch, else_branch: branch })],
      };
      if (i > 5) parts = { ...parts, nodes: [node("If", ["yes"], "r", { then_branch: branch })] };
    }
    const yes = create(TensorProtoSchema, { name: "yes", dataType: Type.BOOL, dims: [], int32Data: [1] });
    const file = { inputs: x, outputs: ["r"], nodes: parts.nodes, initializers: [yes] };
    expect(await refused(file)).toMatch(/nested too deeply|not an ONNX model/);
  });

  it("whose names would break a line are named in one", async () => {
    const name = `evil\u001b[31m\n${"x".repeat(500)}`;
    const line = await refused({ inputs: x, nodes: [{ ...node("Nope", ["x"], "y"), name }] });
    expect(line).toMatch(/node "evil\?\[31m\?x+…" \(Nope\)/);
  });

  it("that join a value with itself, or add it to itself, again and again are read at once", () => {
    const twice = (operator: string, attributes = {}): FileParts["nodes"] =>
      Array.from({ length: 24 }, (_, i) => node(operator, [`a${i}`, `a${i}`], `a${i + 1}`, attributes));
    const joined = onnxFile({
      inputs: { a0: ["batch", 4] },
      nodes: twice("Concat", { axis: int(1) }),
      outputs: ["a24"],
    });
    const added = onnxFile({
      inputs: { a0: ["batch", 4] },
      nodes: [
        ...twice("Add"),
        node("Softmax", ["a24"], "p"),
        node("IsNaN", ["p"], "empty"),
        node("Where", ["empty", "zero", "p"], "y"),
      ],
      initializers: [floats("zero", [], [0])],
    });
    for (const file of [joined, added]) {
      const start = computed();
      readOnnx(file);
      expect(computed() - start).toBeLessThan(5000);
    }
  });

  it("that hold two initialisers of one name are refused, unless they are equal", async () => {
    const sum = (...second: number[]): FileParts => ({
      inputs: x,
      nodes: [node("Add", ["x", "w"], "y")],
      initializers: [floats("w", [4], [1, 2, 3, 4]), floats("w", [4], second)],
    });
    expect(readOnnx(onnxFile(sum(1, 2, 3, 4))).tensors.size).toBe(1);
    expect(await refused(sum(1, 2, 3, 5))).toMatch(/two initialisers are called "w": the file is damaged/);
  });

  it("that define a name twice, or nothing for an output, are refused", async () => {
    expect(await refused({ inputs: x, nodes: [node("Relu", ["x"], "y"), node("Tanh", ["x"], "y")] })).toMatch(
      /two nodes compute "y"/,
    );
    expect(await refused({ ...relu, outputs: ["z"] })).toMatch(/no node computes the output "z"/);
  });
});

describe("numbers in other files", () => {
  let place = "";
  beforeAll(async () => {
    place = await mkdtemp(join(tmpdir(), "espalier-onnx-"));
    await mkdir(join(place, "model", "sub"), { recursive: true });
    await writeFile(join(place, "secret"), new Uint8Array(64));
    await writeFile(
      join(place, "model", "weights"),
      new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8).buffer),
    );
    await writeFile(join(place, "model", "sub", "weights"), new Uint8Array(16));
    await symlink(join(place, "secret"), join(place, "model", "link"));
  });
  afterAll(() => rm(place, { recursive: true, force: true }));

  const external = (entries: Record<string, string>, dims: bigint[] = [4n]) =>
    onnxFile(
      claimed(
        {
          dataLocation: Location.EXTERNAL,
          externalData: Object.entries(entries).map(([key, value]) => ({ key, value })),
        },
        dims,
      ),
    );
  const load = async (bytes: Uint8Array) => {
    const path = join(place, "model", "model.onnx");
    await writeFile(path, bytes);
    return loadOnnx(path);
  };

  it("are read from the model's folder and those in it", async () => {
    const second = await load(external({ location: "weights", offset: "16", length: "16" }));
    expect(Array.from(second.tensors.get("w")!.data)).toEqual([5, 6, 7, 8]);
    expect((await load(external({ location: "sub/weights" }))).tensors.has("w")).toBe(true);
    const given = readOnnx(external({ location: "weights" }), {
      external: new Map([["weights", new Uint8Array(16)]]),
    });
    expect(given.tensors.has("w")).toBe(true);
    const [whole, apart] = [
      await loadOnnx(`${folder}encoder-dynamo-18-open.onnx`),
      await loadOnnx(`${folder}external.onnx`),
    ];
    expect([...apart.tensors].sort()).toEqual([...whole.tensors].sort());
  });

  it.each([
    "../secret",
    "sub/../../secret",
    "/etc/passwd",
    "\\\\server\\share",
    "..\\secret",
    "C:\\secret",
    "file:///etc/passwd",
    "https://example.com/weights",
    "~/secret",
    "weights\u0000",
    "",
  ])("are not read from %j", async (location) => {
    for (const read of [() => load(external({ location })), () => readOnnx(external({ location }))])
      expect(await refusal(read)).toMatch(/outside the model's folder, so it is not read/);
  });

  it("are not read through links that lead out", async () => {
    expect(await refusal(() => load(external({ location: "link" })))).toMatch(
      /"link" is outside the model's folder/,
    );
  });

  it("may be shared by some tensors, but are not the numbers of a large model", async () => {
    await writeFile(join(place, "model", "large"), new Uint8Array(2 ** 20));
    const shared = (count: number) =>
      onnxFile({
        inputs: x,
        nodes: [node("Identity", ["x"], "y")],
        initializers: Array.from({ length: count }, (_, i) =>
          create(TensorProtoSchema, {
            name: `w${i}`,
            dataType: Type.FLOAT,
            dims: [2n ** 18n],
            dataLocation: Location.EXTERNAL,
            externalData: [{ key: "location", value: "large" }],
          }),
        ),
      });
    expect((await load(shared(4))).graph.nodes).toHaveLength(0);
    expect(await refusal(() => load(shared(60)))).toMatch(
      /tensor "w4": "large" has 1048576 bytes, but tensors up to this one need 5242880 of it: more than 4 times/,
    );
  });

  it("must be there, and enough", async () => {
    const line = (entries: Record<string, string>, dims?: bigint[]) =>
      refusal(() => load(external(entries, dims)));
    expect(await line({ location: "nothing" })).toMatch(
      /"nothing", which does not exist\. Put it next to the model/,
    );
    expect(await line({ location: "sub" })).toMatch(/"sub" is not a file/);
    expect(await line({ location: "weights", offset: "24" })).toMatch(
      /"weights" has 32 bytes, but 16 from 24 on were expected/,
    );
    expect(await line({ location: "weights", offset: "-8" })).toMatch(
      /its offset "-8" in "weights" is not a number of bytes/,
    );
    expect(await line({ location: "weights", length: "8" })).toMatch(
      /its shape needs 16 bytes, but 8 in "weights" are given/,
    );
    expect(await line({ location: "weights" }, [1n << 31n, 1n << 20n])).toMatch(/"weights" has 32 bytes/);
    expect(await refusal(() => readOnnx(external({ location: "weights" })))).toMatch(
      /give that file's content as external/,
    );
    expect(await refusal(() => loadOnnx(join(place, "none.onnx")))).toMatch(/no such file/);
  });
});

describe("metadata of Espalier's own", () => {
  const withProps = (props: Record<string, string>) => {
    const proto = create(ModelProtoSchema);
    proto.metadataProps = Object.entries(props).map(([key, value]) =>
      create(StringStringEntryProtoSchema, { key, value }),
    );
    const added = toBinary(ModelProtoSchema, proto);
    return Uint8Array.from([...own, ...added]);
  };

  it.each<[string, string, RegExp]>([
    ["espalier.format", "99", /newer format than this version of Espalier knows/],
    ["espalier.roles", "{", /metadata is damaged at espalier\.roles/],
    ["espalier.dense", "[]", /metadata is damaged at espalier\.dense/],
    [
      "espalier.pruned",
      '{"dimensions":[{"name":"enc_embedding.value_embedding.weight[0]","originalSize":9,"kept":[1]}],"masks":{}}',
      /does not fit its weights: dimension/,
    ],
  ])("is refused where it is damaged: %s", async (key, value, message) => {
    expect(await refusal(() => readOnnx(withProps({ [key]: value })))).toMatch(message);
  });

  it("is not believed where the nodes say otherwise", () => {
    const list = [{ name: "everything", size: 8, kind: "channel" }];
    const axes = { "enc_embedding.value_embedding.weight": [0, 0], x_enc: [0, 0, 0] };
    const back = readOnnx(withProps({ "espalier.dimensions": JSON.stringify({ list, axes }) }));
    expect(back.dimensions.list.some(({ name }) => name === "everything")).toBe(false);
  });
});

describe("damaged files", () => {
  it("are read or refused in one line, whatever was changed in them", () => {
    const random = randomStream(11, "damage");
    const below = (n: number) => Math.floor(random() * n);
    const originals = files.map(([file]) => readFileSync(`${folder}${file}`));
    originals.push(Buffer.from(own));
    const damages: ((bytes: Uint8Array) => Uint8Array)[] = [
      (bytes) => bytes.slice(0, below(bytes.length)),
      (bytes) => bytes.map((byte) => (below(2000) === 0 ? below(256) : byte)),
      (bytes) => {
        const at = below(bytes.length);
        const filler = Array.from({ length: 1 + below(10) }, () => [0xff, 0x7f, 0x80, below(256)][below(4)]!);
        return Uint8Array.from([...bytes.slice(0, at), ...filler, ...bytes.slice(at + below(10))]);
      },
      (bytes) => bytes.slice().copyWithin(below(bytes.length), below(bytes.length), below(bytes.length)),
    ];
    let refusals = 0;
    for (let i = 0; i < 600; i++) {
      const original = originals[below(originals.length)]!;
      const bytes = damages[i % damages.length]!(Uint8Array.from(original));
      const start = computed();
      try {
        readOnnx(bytes, { openBatch: i % 3 === 0 });
      } catch (error) {
        refusals++;
        expect(error).toBeInstanceOf(EspalierError);
        expect((error as Error).message).toMatch(/^ONNX file: [^\n]{10,1500}$/);
      }
      expect(computed() - start).toBeLessThan(5000);
    }
    expect(refusals).toBeGreaterThan(300);
  });
});

describe("an honest file", () => {
  it("is read", () => {
    expect(
      readOnnx(onnxFile({ ...relu, initializers: [weight("unused", 3), floats("too", [], [1])] })).graph
        .nodes,
    ).toHaveLength(1);
  });
});
