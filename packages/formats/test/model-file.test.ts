import { readFile } from "node:fs/promises";
import { gunzipSync, gzipSync } from "node:zlib";
import {
  account,
  digest,
  EspalierError,
  type Model,
  prunableDimensions,
  prunableTensors,
  prune,
  randomInputs,
  reference,
  runModel,
  type Strategy,
  type TensorData,
  withTensors,
} from "@espalier/core";
import { drawEncoder, modelOf } from "@espalier/core/testing";
import {
  decodeModel,
  decodeModelOnDemand,
  encodeModel,
  type RawBytes,
  readSafetensors,
  roundWeights,
  type Safetensors,
  writeSafetensors,
} from "@espalier/formats";
import { channel } from "@espalier/strategy-channel";
import { head } from "@espalier/strategy-head";
import { unstructured } from "@espalier/strategy-unstructured";
import { beforeAll, describe, expect, it } from "vitest";
import { readStrictly } from "./independent-reader.ts";

const dense = modelOf(drawEncoder({ width: 12, heads: 3, feedForward: 16 }), 3, "Encoder");
const pruneBy = async (model: Model, amount: number, ...strategies: Strategy[]) => {
  let pruned = model;
  for (const strategy of strategies) pruned = prune(pruned, await strategy.plan({ model: pruned, amount }));
  return pruned;
};

let pruned: Model;
beforeAll(async () => {
  pruned = await pruneBy(dense, 0.4, head(), channel(), unstructured());
  pruned = { ...pruned, metadata: { series: ["a", "ü"], scaler: { center: [0.1], spread: [3e-7] } } };
});

/** A file with its description changed. */
function edited(model: Model, change: (description: Description) => void, more: Record<string, string> = {}) {
  const { tensors, bytes, metadata } = readSafetensors(encodeModel(model));
  const description = JSON.parse(metadata["espalier.model"]!) as Description;
  change(description);
  const text = JSON.stringify(description);
  return writeSafetensors(everything(tensors, bytes), { ...metadata, "espalier.model": text, ...more });
}

function everything(
  tensors: Safetensors["tensors"],
  bytes: Safetensors["bytes"],
): Map<string, TensorData | RawBytes> {
  return new Map<string, TensorData | RawBytes>([...tensors, ...bytes]);
}

interface Description {
  history: unknown;
  graph: {
    values: { shape: unknown[] }[];
    nodes: { operator: string; inputs: number[]; attributes: Record<string, unknown> }[];
    outputs: { name: string; value: number }[];
    tensors: { name: string; role: string; value: number }[];
    updates: unknown[];
  };
  dimensions: { list: { name: string; size: number; within?: number }[]; axes: unknown[][] };
}

function refusal(file: Uint8Array): string {
  try {
    decodeModel(file, "m.safetensors");
  } catch (error) {
    expect(error).toBeInstanceOf(EspalierError);
    expect((error as Error).message).toMatch(/^m\.safetensors: [^\n]*$/);
    return (error as Error).message;
  }
  throw new Error("it was read");
}

describe("a model file", () => {
  it("holds all of a pruned and masked model, and gives the same bytes again", async () => {
    const file = encodeModel(pruned);
    const back = decodeModel(file);
    expect(back).toEqual(pruned);
    expect(digest(back)).toBe(digest(pruned));
    expect(encodeModel(back)).toEqual(file);
    const inputs = randomInputs(pruned);
    expect(await runModel(back, reference, inputs)).toEqual(await runModel(pruned, reference, inputs));
  });

  it("takes a plan that was made before it was saved", async () => {
    const plan = await unstructured().plan({ model: pruned, amount: 0.8 });
    expect(digest(prune(decodeModel(encodeModel(pruned)), plan))).toBe(digest(prune(pruned, plan)));
  });

  it("opens in any reader of safetensors", () => {
    for (const model of [dense, pruned]) {
      const { tensors, metadata } = readStrictly(encodeModel(model));
      expect(metadata.format).toBe("espalier");
      for (const [name, { shape, data, dtype }] of model.tensors) {
        if (model.masks.has(name)) continue;
        const entry = tensors.get(name)!;
        expect(entry.shape).toEqual(shape);
        expect(entry.dtype).toBe(dtype === "float32" ? "F32" : "I32");
        expect(entry.bytes).toEqual(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      }
    }
  });

  it("shrinks with what is masked: its data is as large as accounting says", async () => {
    const sizeOf = (model: Model) =>
      [...readStrictly(encodeModel(model)).tensors.values()].reduce((n, { bytes }) => n + bytes.length, 0);
    expect(sizeOf(dense)).toBe(account(dense).bytes.stored);
    expect(account(dense).bytes.stored).toBe(account(dense).bytes.dense);
    for (const amount of [0.01, 0.5, 0.9]) {
      const masked = await pruneBy(dense, amount, unstructured());
      expect(sizeOf(masked)).toBe(account(masked).bytes.stored);
    }
    const [half, tenth] = [
      await pruneBy(dense, 0.5, unstructured()),
      await pruneBy(dense, 0.9, unstructured()),
    ];
    expect(encodeModel(tenth).length).toBeLessThan(encodeModel(half).length);
    expect(sizeOf(tenth) / sizeOf(dense)).toBeLessThan(0.25);
  });

  it("stores masked tensors in full, if asked, for readers that know no masks", () => {
    const file = encodeModel(pruned, { compact: false });
    for (const name of pruned.masks.keys()) expect(readStrictly(file).tensors.has(name)).toBe(true);
    expect(digest(decodeModel(file))).toBe(digest(pruned));
  });

  it("keeps nested indices, extents of one and emptied branches", async () => {
    let model = await pruneBy(dense, 0.95, head(), channel());
    model = await pruneBy(model, 0.9, head({ keepAtLeast: 0 }));
    expect(model.dimensions.list.some(({ size }) => size === 1)).toBe(true);
    const back = decodeModel(encodeModel(model));
    expect(digest(back)).toBe(digest(model));
    expect(prunableDimensions(back.dimensions)).toEqual(prunableDimensions(model.dimensions));
  });

  it("refuses tensor names that its own names for masks would hide", async () => {
    const masked = await pruneBy(dense, 0.5, unstructured());
    const [first] = masked.masks.keys();
    const tensors = masked.graph.tensors.map((t) =>
      masked.masks.has(t.name) ? t : { ...t, name: `${first}#mask` },
    );
    const clash: Model = {
      ...masked,
      graph: { ...masked.graph, tensors: tensors.slice(0, 2) },
      tensors: new Map([...masked.tensors, [`${first}#mask`, masked.tensors.get("embedding.bias")!]]),
    };
    expect(() => encodeModel(clash)).toThrow(/for two tensors/);
  });
});

describe("a model file is refused", () => {
  it("where it was cut, at every kind of place", () => {
    const file = encodeModel(pruned);
    const start = 8 + Number(new DataView(file.buffer).getBigUint64(0, true));
    const inHeader = Array.from({ length: 40 }, (_, i) => Math.floor((i * start) / 40));
    const inData = Array.from({ length: 40 }, (_, i) => start + Math.floor((i * (file.length - start)) / 40));
    for (const length of [0, 1, 7, 8, 9, ...inHeader, start - 1, start, ...inData, file.length - 1]) {
      refusal(file.subarray(0, length));
    }
  });

  it("of a newer or unknown version, with a line that says so", () => {
    const version = (version: string) => edited(pruned, () => {}, { "espalier.version": version });
    expect(refusal(version("3"))).toContain(
      "model format 3 is newer than this version of Espalier knows (2)",
    );
    expect(refusal(version("0"))).toContain("its model format (0) is not known");
    expect(refusal(version("one"))).toContain("its model format (one) is not known");
  });

  it("that holds a checkpoint, or another kind of safetensors", () => {
    expect(refusal(writeSafetensors(pruned.tensors))).toContain("tensors but no Espalier model");
    const broken = edited(pruned, () => {}, { "espalier.model": "{" });
    expect(refusal(broken)).toContain("not JSON");
  });

  const changes: [string, (d: Description) => void, string][] = [
    [
      "a graph whose shapes do not follow",
      (d) => (d.graph.values.at(-1)!.shape[2] = 3),
      "outputs of other shapes",
    ],
    ["an operator nobody knows", (d) => (d.graph.nodes[0]!.operator = "MatMull"), 'Did you mean "MatMul"?'],
    [
      "a node that reads what comes later",
      (d) => d.graph.nodes.push(d.graph.nodes.shift()!),
      "before it exists",
    ],
    ["a node without its inputs", (d) => (d.graph.nodes[1]!.inputs = []), "does not fit its 0 inputs"],
    ["an update of nothing", (d) => (d.graph.updates = [{ tensor: "x", value: 0 }]), 'updates "x"'],
    [
      "two outputs of one name",
      (d) => d.graph.outputs.push(d.graph.outputs[0]!),
      "outputs have the same name",
    ],
    ["a tensor that is not there", (d) => (d.graph.tensors[0]!.name = "other"), 'tensor "other" is missing'],
    [
      "a masked buffer",
      (d) => {
        for (const tensor of d.graph.tensors) tensor.role = "buffer";
      },
      "is a buffer and has a mask",
    ],
    ["dimensions of another size", (d) => (d.dimensions.list[0]!.size = 99), "do not fit its graph"],
    [
      "dimensions that are not there",
      (d) => (d.dimensions.axes[0] = [77, 77, 77]),
      "there is no dimension 77",
    ],
    [
      "two dimensions of one name",
      (d) => (d.dimensions.list[0]!.name = d.dimensions.list[1]!.name),
      "the same name",
    ],
    ["a dimension within nothing", (d) => (d.dimensions.list[0]!.within = 500), "there is no dimension 500"],
  ];
  it.each(changes)("with %s", (_what, change, message) => {
    expect(refusal(edited(pruned, change))).toContain(message);
  });

  it("with masks and values that do not fit each other", () => {
    const { tensors, bytes, metadata } = readSafetensors(encodeModel(pruned));
    const [name] = pruned.masks.keys();
    const mask = bytes.get(`${name}#mask`)!;
    const withMask = (data: Uint8Array, more = tensors) =>
      writeSafetensors(
        everything(more, new Map([...bytes, [`${name}#mask`, { ...mask, shape: [data.length], data }]])),
        metadata,
      );
    expect(refusal(withMask(mask.data.slice(1)))).toContain("does not fit its shape");
    expect(refusal(withMask(mask.data.map(() => 0)))).toContain("kept values, but its mask keeps 0");
    const full = new Map([...tensors, [name!, dense.tensors.get(name!)!]]);
    expect(refusal(withMask(mask.data, full))).toContain("has shape");
    const same = {
      ...pruned.tensors.get(name!)!,
      data: pruned.tensors.get(name!)!.data.map(() => 1) as Float32Array,
    };
    expect(refusal(withMask(mask.data, new Map([...tensors, [name!, same]])))).toContain(
      "not zero where its mask",
    );
  });

  it("with a description nested deeper than any stack", () => {
    const { tensors, bytes, metadata } = readSafetensors(encodeModel(pruned));
    const deep = `${"[".repeat(200_000)}${"]".repeat(200_000)}`;
    const text = metadata["espalier.model"]!.replace(/"history":\[/, `"history":[${deep},`);
    const file = writeSafetensors(everything(tensors, bytes), { ...metadata, "espalier.model": text });
    expect(refusal(file)).toContain("its model description");
  });

  it("or runs, whatever single place of its description is changed", async () => {
    const { metadata } = readSafetensors(encodeModel(pruned));
    const places = placesOf(JSON.parse(metadata["espalier.model"]!));
    const junk = [-1, 0, 2, 1e9, 1.5, 1e300, "x", null, [], {}, { batch: 2 }, [1, 0]];
    let loaded = 0;
    for (let i = 0; i < 120; i++) {
      const place = places[(i * 7919) % places.length]!;
      const file = edited(pruned, (description) => {
        let parent = description as unknown as Record<string | number, unknown>;
        for (const key of place.slice(0, -1)) parent = parent[key] as typeof parent;
        const key = place.at(-1)!;
        if (i % 3 === 0) delete parent[key];
        else if (i % 3 === 1 && typeof parent[key] === "number") parent[key] += 1;
        else parent[key] = junk[i % junk.length];
      });
      let model: Model;
      try {
        model = decodeModel(file, "m.safetensors");
      } catch (error) {
        expect(error).toBeInstanceOf(EspalierError);
        continue;
      }
      loaded++;
      await runModel(model, reference, randomInputs(model));
    }
    expect(loaded).toBeGreaterThan(0);
  });
});

function placesOf(value: unknown, path: readonly (string | number)[] = []): (readonly (string | number)[])[] {
  if (typeof value !== "object" || value === null) return [path];
  const inside = Array.isArray(value)
    ? value.flatMap((part, i) => placesOf(part, [...path, i]))
    : Object.entries(value).flatMap(([key, part]) => placesOf(part, [...path, key]));
  return path.length === 0 ? inside : [path, ...inside];
}

describe.each(["float16", "int8"] as const)("a model file with %s weights", (weights) => {
  const rounded = () => roundWeights(pruned, weights);

  it("holds the rounded model exactly, and gives the same bytes again", async () => {
    const file = encodeModel(rounded());
    const back = decodeModel(file);
    expect(back).toEqual(rounded());
    expect(digest(back)).toBe(digest(rounded()));
    expect(encodeModel(back)).toEqual(file);
    expect(await decodeModelOnDemand(file)).toEqual(back);
    expect(back.history.at(-1)).toEqual({ did: "round", weights });
  });

  it("is rounded to the nearest, with the same masks, and once", () => {
    const before = pruned;
    const after = rounded();
    expect(after.masks).toEqual(before.masks);
    const changed = [...after.tensors].filter(([name, { data }]) =>
      data.some((value, i) => value !== before.tensors.get(name)!.data[i]),
    );
    expect(changed.map(([name]) => name)).toEqual(prunableTensors(before));
    for (const [name, { data, shape }] of changed) {
      // Every weight here is [outputs, inputs].
      const columns = shape.at(-1)!;
      data.forEach((value, i) => {
        const exact = before.tensors.get(name)!.data as Float32Array;
        const row = exact.subarray(i - (i % columns), i - (i % columns) + columns);
        const most = row.reduce((top, weight) => Math.max(top, Math.abs(weight)), 0);
        const step = weights === "int8" ? (1.01 * most) / 127 : 2 ** -10 * most;
        expect(Math.abs(value - exact[i]!)).toBeLessThanOrEqual(step / 2 + 1e-9);
      });
    }
    expect(digest(roundWeights(after, weights))).toBe(digest(after));
  });

  it("is smaller, and larger again once the model has changed", () => {
    const file = encodeModel(rounded());
    expect(file.length).toBeLessThan(0.6 * encodeModel(pruned).length);
    const changed = withTensors(rounded(), pruned.tensors);
    expect(digest(decodeModel(encodeModel(changed)))).toBe(digest(pruned));
    const tuned = withTensors(rounded(), new Map(), [{ did: "fit" }]);
    expect(encodeModel(tuned).length).toBeGreaterThan(encodeModel(pruned).length);
  });

  it("is refused where it is damaged", () => {
    const file = encodeModel(rounded());
    expect(refusal(file.subarray(0, file.length - 1))).toContain("truncated");
    const { bytes, metadata } = readSafetensors(file);
    const packed = bytes.get("gzip")!;
    const withPacked = (data: Uint8Array) =>
      writeSafetensors(new Map([["gzip", { ...packed, shape: [data.length], data }]]), metadata);
    expect(refusal(withPacked(packed.data.slice(0, -9)))).toContain("its packed part is damaged");
    expect(refusal(withPacked(gzipSync(file)))).toContain("is not JSON");
    expect(refusal(writeSafetensors(new Map(), metadata))).toContain("its packed part is missing");
  });

  it("cannot hold every number", () => {
    const [name] = prunableTensors(dense) as [string];
    const tensor = dense.tensors.get(name)!;
    const large = { ...tensor, data: tensor.data.map(() => (weights === "int8" ? Number.NaN : 7e4)) };
    const model = { ...dense, tensors: new Map(dense.tensors).set(name, large as TensorData) };
    expect(() => roundWeights(model, weights)).toThrow(
      new RegExp(`^tensor "${name}" holds .*, which ${weights} cannot hold`),
    );
  });
});

it("scales of int8 weights must fit their tensor", () => {
  const inner = gunzipSync(
    readSafetensors(encodeModel(roundWeights(pruned, "int8"))).bytes.get("gzip")!.data,
  );
  const { tensors, bytes, metadata } = readSafetensors(inner);
  const [name] = [...tensors.keys()].filter((key) => key.endsWith("#scales"));
  const wrong = new Map(tensors).set(name!, { dtype: "float32", shape: [3], data: Float32Array.of(1, 2, 3) });
  expect(refusal(writeSafetensors(everything(wrong, bytes), metadata))).toContain("its scales [3]");
});

describe.each([1, 2])("the kept file of format version %i", (format) => {
  it("loads, says what was done to it, and forecasts what it did when it was written", async () => {
    const model = decodeModel(await readFile(new URL(`kept/model-v${format}.safetensors`, import.meta.url)));
    expect(model.name).toBe("Encoder of the tests");
    expect(model.history).toMatchObject([
      { did: "prune", strategy: "head" },
      { did: "prune", strategy: "channel" },
      { did: "prune", strategy: "unstructured" },
      { did: "fit" },
      ...(format === 2 ? [{ did: "round", weights: "int8" }] : []),
    ]);
    expect(model.masks.size).toBeGreaterThan(4);
    expect(prunableDimensions(model.dimensions).every(({ original }) => original !== undefined)).toBe(true);
    const outputs = await runModel(model, reference, randomInputs(model));
    const expected = model.metadata.expected as number[];
    outputs.get("y")!.data.forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i]!, 5);
    });
  });
});
