import { account, digest, isKept, keptCount, meet, prunableTensors, prune, wsap } from "@espalier/core";
import { weightStatistics } from "@espalier/core/pruning";
import { checkStrategy, drawEncoder, modelOf } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { unstructured } from "../src/index.ts";

const model = modelOf(drawEncoder());
const weights = prunableTensors(model);
const size = weights.reduce((n, name) => n + model.tensors.get(name)!.data.length, 0);

describe("unstructured pruning", () => {
  it.each(["local", "global", "isomorphic"] as const)(
    "keeps every promise of a strategy with scope %s",
    async (scope) => {
      const report = await checkStrategy(unstructured({ scope }), model);
      expect(report.applicable).toBe(true);
    },
  );

  it.each(["l1", "l2", "random", "wsap"])("keeps every promise with criterion %s", async (criterion) => {
    await checkStrategy(unstructured({ criterion }), model);
  });

  it("masks exactly the share asked for, of weights with two or more axes only", async () => {
    const small = prune(model, await unstructured().plan({ model, amount: 0.6 }));
    const kept = [...small.masks.values()].reduce((n, mask) => n + keptCount(mask), 0);
    const untouched = weights
      .filter((name) => !small.masks.has(name))
      .reduce((n, name) => n + model.tensors.get(name)!.data.length, 0);
    expect(kept + untouched).toBe(size - Math.round(0.6 * size));
    for (const name of small.masks.keys()) expect(weights).toContain(name);
  });

  it("masks the smallest magnitudes of all tensors together", async () => {
    const small = prune(model, await unstructured({ leastDensity: 0 }).plan({ model, amount: 0.5 }));
    const magnitudes = weights
      .flatMap((name) => [...model.tensors.get(name)!.data].map(Math.abs))
      .sort((a, b) => a - b);
    const threshold = magnitudes[Math.round(0.5 * size) - 1]!;
    for (const [name, mask] of small.masks) {
      model.tensors.get(name)!.data.forEach((w, i) => {
        expect(isKept(mask, i)).toBe(Math.abs(w) > threshold);
      });
    }
  });

  it("empties no layer by a global ranking unless asked to", async () => {
    const tensors = new Map(model.tensors);
    const quiet = "layers.0.attention.query.weight";
    const { shape, data } = tensors.get(quiet)!;
    tensors.set(quiet, { dtype: "float32", shape, data: data.map((w) => w / 1000) as Float32Array });
    const uneven = { ...model, tensors };
    const kept = async (leastDensity: number) => {
      const small = prune(uneven, await unstructured({ leastDensity }).plan({ model: uneven, amount: 0.8 }));
      return keptCount(small.masks.get(quiet)!) / data.length;
    };
    expect(await kept(0.25)).toBeGreaterThanOrEqual(0.05);
    expect(await kept(0)).toBe(0);
  });

  it("leaves tensors alone by name pattern", async () => {
    const small = prune(
      model,
      await unstructured({ keep: ["projection.*", "*.query.weight"] }).plan({ model, amount: 0.5 }),
    );
    expect([...small.masks.keys()].filter((name) => /projection|query/.test(name))).toEqual([]);
    expect(small.masks.size).toBeGreaterThan(4);
  });

  it("gives each tensor its published share with wsap at amount 0.5", async () => {
    const small = prune(model, await unstructured({ criterion: wsap }).plan({ model, amount: 0.5 }));
    const statistics = weightStatistics(model);
    for (const [name, mask] of small.masks) {
      const { length } = model.tensors.get(name)!.data;
      expect(Math.abs(1 - keptCount(mask) / length - statistics.get(name)!.ratio)).toBeLessThan(1 / length);
    }
    expect(new Set([...small.masks.keys()].map((name) => statistics.get(name)!.ratio)).size).toBeGreaterThan(
      1,
    );
  });

  it("never unmasks: pruning on goes deeper", async () => {
    const once = prune(model, await unstructured().plan({ model, amount: 0.5 }));
    const twice = prune(once, await unstructured().plan({ model: once, amount: 0.8 }));
    for (const [name, mask] of once.masks) {
      mask.bits.forEach((byte, i) => {
        expect(twice.masks.get(name)!.bits[i]! & ~byte).toBe(0);
      });
    }
    const same = prune(once, await unstructured().plan({ model: once, amount: 0.3 }));
    expect(digest(same)).toBe(digest(once));
  });

  it("meets sparsity, FLOPs and bytes; parameters cannot be met, and it says why", async () => {
    for (const target of [{ sparsity: 0.7 }, { flops: 0.4 }, { bytes: 0.5 }]) {
      const plan = await meet(target, unstructured(), { model });
      expect(plan.target).toMatchObject({ met: true });
    }
    const plan = await meet({ parameters: 0.5 }, unstructured(), { model });
    expect(plan.target).toMatchObject({ met: false, achieved: 1 });
    expect(plan.target!.why).toContain("100.0 % of the parameters remain");
    expect(account(prune(model, plan)).parameters.total).toBe(model.dense.parameters.total);
  });

  it("refuses amounts outside [0, 1) and unknown options", async () => {
    await expect(unstructured().plan({ model, amount: 1 })).rejects.toThrow(/amount 1 is outside/);
    expect(() => unstructured({ criterion: "magnitud" })).toThrow();
  });
});
