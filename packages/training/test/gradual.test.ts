import { wasm } from "@espalier/backend-wasm";
import { digest, keptCount, type Model, prunableTensors, reference, sparsity } from "@espalier/core";
import { channel } from "@espalier/strategy-channel";
import { unstructured } from "@espalier/strategy-unstructured";
import { describe, expect, it } from "vitest";
import { type FitRequest, fit, type GradualPruning, TrainingCheckpoint } from "../src/index.ts";
import { common, inverted, patched, settings } from "./small.ts";

const gradual: GradualPruning = {
  strategy: unstructured(),
  target: { sparsity: 0.7 },
  until: 0.6,
  every: 2,
};
const request: FitRequest = { ...common, model: inverted, settings, gradual };
const weights = (model: Model) => digest({ ...model, history: [] });

/** Share of the prunable weights that is masked. */
function masked(model: Model): number {
  const names = prunableTensors(model);
  const all = names.reduce((n, name) => n + model.tensors.get(name)!.data.length, 0);
  const gone = [...model.masks.values()].reduce(
    (n, mask) => n + mask.shape.reduce((size, extent) => size * extent, 1) - keptCount(mask),
    0,
  );
  return gone / all;
}

describe.each([reference, wasm()])("gradual pruning while training on $name", (backend) => {
  const here = { ...request, backend };

  it("reaches its target, keeps no epoch before that, and is recorded", async () => {
    const { model, epochs, target } = await fit(here);
    expect(Math.abs(sparsity(model) - 0.7)).toBeLessThan(0.02);
    expect(target).toMatchObject({ metric: "sparsity", asked: 0.7, met: true });
    // Nine steps: the last change comes before step 6, the first of the third epoch.
    expect(epochs.map(({ best }) => best)).toEqual([false, false, true]);
    expect(model.history).toMatchObject([
      { did: "fit", gradual: { strategy: "unstructured", curve: "cubic", until: 0.6, every: 2 } },
    ]);
    for (const [name, { shape }] of model.masks) expect(shape).toEqual(model.tensors.get(name)!.shape);
    expect(
      Object.is(
        model.tensors.get([...model.masks.keys()][0]!)!.data.find((w) => w === 0),
        0,
      ),
    ).toBe(true);
  });

  it("gives the same when it is resumed after any epoch", async () => {
    const made: TrainingCheckpoint[] = [];
    const whole = await fit({
      ...here,
      onCheckpoint: (checkpoint) => void made.push(TrainingCheckpoint.decode(checkpoint.encode())),
    });
    expect(made).toHaveLength(3);
    for (const resume of made) {
      const resumed = await fit({ ...here, resume });
      expect(weights(resumed.model)).toBe(weights(whole.model));
    }
  });
});

describe("gradual pruning", () => {
  it.each([
    ["linear", (q: number) => q, (amount: number) => amount],
    ["cubic", (q: number) => 1 - (1 - q) ** 3, (amount: number) => amount],
    ["exponential", (q: number) => q, (amount: number) => Math.log(1 - amount)],
  ] as const)("grows along a %s curve", async (curve, shape, straight) => {
    const asked = new Map<Model, number[]>();
    const strategy = {
      name: "watched",
      plan(of: Parameters<GradualPruning["strategy"]["plan"]>[0]) {
        asked.set(of.model, [...(asked.get(of.model) ?? []), of.amount]);
        return unstructured().plan(of);
      },
    };
    const one = { ...settings, epochs: 1, batchesPerEpoch: 10 };
    await fit({ ...request, settings: one, gradual: { ...gradual, strategy, curve, until: 0.79, every: 2 } });
    // A search for the whole amount, changes before steps 0, 2, 4 and 6, and a search for the last, before step 8.
    const [search, ...changes] = [...asked.values()];
    const last = changes.pop()!;
    expect(changes.map(({ length }) => length)).toEqual([1, 1, 1, 1]);
    const unit = straight(changes[0]![0]!) / shape(0.2);
    changes.forEach(([amount], k) => {
      expect(straight(amount!)).toBeCloseTo(unit * shape((k + 1) / 5), 9);
    });
    for (const tried of [search!, last]) {
      expect(tried.some((amount) => Math.abs(straight(amount) - unit) < 0.02)).toBe(true);
    }
  });

  it("starts from what is masked already", async () => {
    const first = (await fit(request)).model;
    const further = await fit({
      ...request,
      model: first,
      gradual: { ...gradual, target: { sparsity: 0.8 } },
    });
    expect(masked(further.model)).toBeGreaterThan(masked(first));
    for (const [name, mask] of first.masks) {
      const now = further.model.masks.get(name)!;
      expect(now.bits.every((byte, i) => (byte & ~mask.bits[i]!) === 0)).toBe(true);
    }
  });

  it("ends with the model it was given when it is stopped while it plans, first or later", async () => {
    for (const stopAt of [1, 25]) {
      const controller = new AbortController();
      let plans = 0;
      const strategy = {
        name: "stopped",
        plan(of: Parameters<GradualPruning["strategy"]["plan"]>[0]) {
          if (++plans === stopAt) controller.abort();
          controller.signal.throwIfAborted();
          return unstructured().plan(of);
        },
      };
      const { signal } = controller;
      const long = { ...settings, batchesPerEpoch: 40 };
      const run = { ...request, settings: long, signal, gradual: { ...gradual, strategy, until: 0.9 } };
      const stopped = await fit(run);
      expect(stopped).toMatchObject({ ended: "aborted", epochs: [] });
      expect(stopped.model).toBe(inverted);
    }
  });

  it("refuses strategies that remove, and settings that make no sense", async () => {
    const refused = (change: Partial<GradualPruning>, model = inverted) =>
      expect(fit({ ...request, model, gradual: { ...gradual, ...change } })).rejects;
    await refused({ strategy: channel(), target: { parameters: 0.5 } }).toThrow(/it only masks weights/);
    await refused({ until: 1 }).toThrow(/^gradual pruning, until: /);
    await refused({ every: 0 }, patched).toThrow(/^gradual pruning, every: /);
  });
});
