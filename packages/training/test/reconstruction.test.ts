import { tfjs } from "@espalier/backend-tfjs";
import { wasm } from "@espalier/backend-wasm";
import { type Backend, digest, type Model, prune, reference } from "@espalier/core";
import { forecastingDataOf, loadSynthetic, type WindowSet } from "@espalier/datasets";
import { smallModels } from "@espalier/models/testing";
import { channel } from "@espalier/strategy-channel";
import { combined } from "@espalier/strategy-combined";
import { depth } from "@espalier/strategy-depth";
import { head } from "@espalier/strategy-head";
import { unstructured } from "@espalier/strategy-unstructured";
import { describe, expect, it } from "vitest";
import { inputsFrom, predict, pruneAndReconstruct, windowShapeOf } from "../src/index.ts";
import { common, inverted, patched } from "./small.ts";

const source = await loadSynthetic({ rows: 260, series: 3 });

/** A small model of every architecture that has layers to refit. */
const zoo = [
  ...smallModels({
    inputLength: 12,
    horizon: 4,
    series: 3,
    marks: 4,
    width: 8,
    feedForward: 12,
    heads: 2,
    layers: 1,
    segmentLength: 4,
    modes: 2,
  }),
].flatMap(([name, architecture]): [string, Model][] =>
  name === "DLinear" ? [] : [[name, architecture.initialize(1)]],
);

const settingsOf = { batches: 4, batchSize: 12 };

async function distance(backend: Backend, a: Model, b: Model, windows: WindowSet): Promise<number> {
  const given = inputsFrom(a.graph, windows)(Array.from({ length: windows.count >> 1 }, (_, i) => 2 * i));
  const [x, y] = [await predict(a, backend, given), await predict(b, backend, given)];
  return Math.hypot(...x.data.map((value, i) => value - y.data[i]!));
}

describe("reconstruction", () => {
  it.each(zoo)(
    "of %s: no layer's error rises, the forecasts come nearer to the dense ones'",
    async (_name, model) => {
      const { inputLength, horizon, labelLength } = windowShapeOf(model.graph);
      const { train } = forecastingDataOf(source, { inputLength, horizon, labelLength });
      const backend = wasm();
      const strategy = combined([head(), channel(), unstructured()]);
      const plan = await strategy.plan({ model, amount: 0.6 });
      const request = { model, plan, backend, windows: train, settings: settingsOf };
      const { model: refitted, layers } = await pruneAndReconstruct(request);
      expect(layers.length).toBeGreaterThan(3);
      for (const { before, after } of layers) expect(after).toBeLessThanOrEqual(before);
      const pruned = prune(model, plan);
      expect(await distance(backend, refitted, model, train)).toBeLessThan(
        0.9 * (await distance(backend, pruned, model, train)),
      );
    },
  );

  it("gives on every backend what it gives on the reference", async () => {
    const plan = await combined([channel(), unstructured()]).plan({ model: inverted, amount: 0.5 });
    const on = async (backend: Backend) =>
      (
        await pruneAndReconstruct({
          model: inverted,
          plan,
          backend,
          windows: common.train,
          settings: settingsOf,
        })
      ).model;
    const oracle = await on(reference);
    for (const backend of [wasm(), tfjs({ kind: "wasm" })]) {
      const model = await on(backend);
      for (const [name, { data }] of oracle.tensors) {
        data.forEach((value, i) => {
          expect(model.tensors.get(name)!.data[i]).toBeCloseTo(value, 2);
        });
      }
    }
  });

  it("makes up for a whole attention that is gone", async () => {
    const strategy = depth({ modules: ["attention"], keepAtLeast: 0, criterion: "l2" });
    const plan = await strategy.plan({ model: inverted, amount: 0.99 });
    const request = {
      model: inverted,
      plan,
      backend: reference,
      windows: common.train,
      settings: settingsOf,
    };
    const { model, layers } = await pruneAndReconstruct(request);
    expect(layers.map(({ tensor }) => tensor)).toContain("encoder.attn_layers.0.conv1.weight");
    const before = await distance(reference, prune(inverted, plan), inverted, common.train);
    expect(await distance(reference, model, inverted, common.train)).toBeLessThan(0.6 * before);
  });

  it("can be done again from the model's history", async () => {
    const plan = await unstructured().plan({ model: patched, amount: 0.6 });
    const request = {
      model: patched,
      plan,
      backend: reference,
      windows: common.train,
      settings: { ...settingsOf, seed: 4 },
    };
    const { model } = await pruneAndReconstruct({ ...request, data: { name: "synthetic", checksum: "c" } });
    const entry = model.history.at(-1) as {
      damping: number;
      calibration: { batches: number; batchSize: number; seed: number };
    };
    expect(entry).toMatchObject({
      did: "reconstruct",
      base: plan.base,
      calibration: { backend: "reference", data: { name: "synthetic", checksum: "c" } },
    });
    const { calibration, damping } = entry;
    const again = await pruneAndReconstruct({ ...request, settings: { ...calibration, damping } });
    expect(digest(again.model)).toBe(digest(model));
  });
});
