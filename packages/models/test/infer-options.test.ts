import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Json, Tensors } from "@espalier/core";
import { describe, expect, it } from "vitest";
import { dLinear, findModel, fromOriginalConfig, inferOptions, models } from "../src/index.ts";
import { smallModels } from "../src/testing.ts";

const small = smallModels();

const reference = fileURLToPath(new URL("../../../../shared/reference", import.meta.url));
const present = existsSync(reference);
if (!present) console.warn("skipped: tests on reference checkpoints, for want of shared/reference");

const inferred = [...models.keys()].filter((name) => existsSync(`${reference}/${name}`));

/** The tensors of a safetensors file that is known to be sound; integers, which no model here has, as zeros. */
function readWeights(file: Uint8Array): Tensors {
  const bytes = file.slice().buffer;
  const start = 8 + Number(new DataView(bytes).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.slice(8, start)));
  return new Map(
    Object.entries<{ dtype: string; shape: number[]; data_offsets: [number, number] }>(header).flatMap(
      ([
        name,
        {
          dtype,
          shape,
          data_offsets: [from, to],
        },
      ]) => {
        if (name === "__metadata__") return [];
        const size = shape.reduce((n, extent) => n * extent, 1);
        const data = dtype === "F32" ? bytes.slice(start + from, start + to) : new ArrayBuffer(4 * size);
        return [[name, { dtype: "float32", shape, data: new Float32Array(data) }] as const];
      },
    ),
  );
}

describe.skipIf(!present)("options of a PyTorch checkpoint", () => {
  it.each(inferred)("%s: what is seen is its configuration, what is not is asked for", async (name) => {
    const folder = `${reference}/${name}`;
    const { config, frequencyModes } = JSON.parse(await readFile(`${folder}/model.json`, "utf8"));
    const tensors = readWeights(await readFile(`${folder}/weights.safetensors`));
    const whole = fromOriginalConfig(name, { ...config, frequencyModes });
    const { seen, needed } = inferOptions(name, tensors);
    for (const [option, value] of Object.entries(seen))
      if (option in whole) expect([option, value]).toEqual([option, whole[option]]);
    // Everything that has a size in the configuration is one or the other.
    const sizes = ["inputLength", "horizon", "series", "labelLength", "width", "feedForward", "heads"];
    for (const option of [...sizes, "layers", "decoderLayers", "marks"])
      if (option in whole) expect(option in seen || needed.includes(option), option).toBe(true);
    const given = Object.fromEntries(needed.map((option) => [option, whole[option]]));
    const { graph } = findModel(name)({ ...seen, ...given } as never).load(tensors);
    expect(graph.inputs[0]!.name).toBe("x_enc");
  });
});

describe("options of a model's own weights", () => {
  it.each([...small].filter(([name]) => !name.startsWith("Sedimark")))(
    "%s: they are those it was drawn with",
    (name, architecture) => {
      const { tensors, options } = architecture.initialize(0);
      const { seen, needed } = inferOptions(name.toLowerCase(), tensors);
      const drawn = options as Record<string, Json>;
      expect(seen).toEqual(Object.fromEntries(Object.keys(seen).map((option) => [option, drawn[option]])));
      for (const option of needed) expect(drawn).toHaveProperty(option);
    },
  );

  it("count the series of a DLinear with layers of their own", () => {
    const { tensors } = dLinear({ inputLength: 9, horizon: 5, series: 11, individual: true }).initialize(0);
    expect(inferOptions("DLinear", tensors)).toEqual({
      seen: { inputLength: 9, horizon: 5, individual: true, series: 11 },
      needed: [],
    });
  });

  it("are refused for the checkpoint of another model", () => {
    const { tensors } = small.get("DLinear")!.initialize(0);
    expect(() => inferOptions("PatchTST", tensors)).toThrow(
      'this is not a checkpoint of PatchTST: "patch_embedding.value_embedding.weight", a tensor with 2 axes, is not there.',
    );
    const flat: Tensors = new Map([
      ["Linear_Seasonal.weight", { dtype: "float32", shape: [4], data: new Float32Array(4) }],
    ]);
    expect(() => inferOptions("DLinear", flat)).toThrow(
      '"Linear_Seasonal.weight", a tensor with 2 axes, has the shape [4]',
    );
  });
});
