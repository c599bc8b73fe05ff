import { tfjs } from "@espalier/backend-tfjs";
import { wasm } from "@espalier/backend-wasm";
import { float32, isKept, keptCount, prune, reference } from "@espalier/core";
import { differentiate, drawTrainingForward, meanSquaredError } from "@espalier/core/graph";
import { unstructured } from "@espalier/strategy-unstructured";
import { describe, expect, it } from "vitest";
import { fit, inputsFrom } from "../src/index.ts";
import { exchangedAt, regrown, regrowsAt } from "../src/regrow.ts";
import { common, inverted, settings } from "./small.ts";

const sparse = prune(inverted, await unstructured().plan({ model: inverted, amount: 0.6 }));
const regrow = { every: 2, share: 0.4, until: 0.75 };

describe("regrowing masks", () => {
  it("drops the smallest kept weights and grows where the gradient is largest", () => {
    const shape = [8];
    const model = {
      ...sparse,
      tensors: new Map([["w", float32(shape, [0, 5, -1, 0, 3, -2, 0, 0.5])]]),
      masks: new Map([["w", { shape, bits: Uint8Array.of(0b10110110) }]]),
    };
    const gradients = new Map([["w", float32(shape, [-4, 9, 0.1, 3, 9, 9, -0.2, 0.3])]]);
    // Kept: 1, 2, 4, 5, 7. Two of five go: 7 (0.5) and 2 (1). Then 0 (4) and 3 (3) have the largest gradients.
    expect(regrown(model, gradients, 0.4).get("w")!.bits).toEqual(Uint8Array.of(0b00111011));
    // What goes may come back at once: without 0 and 3 being any better, 7 is before 6 and 2.
    const flat = new Map([["w", float32(shape, [0.1, 9, 0.1, 0, 9, 9, -0.2, 0.3])]]);
    expect(regrown(model, flat, 0.4).get("w")!.bits).toEqual(Uint8Array.of(0b11110010));
  });

  it("happens every so many steps, for less and less", () => {
    expect(Array.from({ length: 12 }, (_, i) => regrowsAt(i, 12, regrow))).toEqual(
      [0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 0, 0].map(Boolean),
    );
    expect(exchangedAt(0, 12, regrow)).toBeCloseTo(0.4, 12);
    expect(exchangedAt(3, 12, regrow)).toBeCloseTo(0.3, 12);
    expect(exchangedAt(9, 12, regrow)).toBeCloseTo(0, 12);
  });

  it.each([reference, tfjs({ kind: "wasm" }), wasm()])(
    "in a fit on $name follows the loss's gradients",
    async (backend) => {
      const still = { ...settings, epochs: 1, batchesPerEpoch: 3, learningRate: 1e-30 };
      const { model } = await fit({
        ...common,
        backend,
        model: sparse,
        settings: { ...still, regrow: { ...regrow, until: 0.9 } },
      });
      // Weights did not move: the one change, before the third step, can be done again by hand.
      const {
        builder: b,
        outputs,
        parameters,
      } = drawTrainingForward(sparse.graph, (on) => ({
        seed: on.constant(0),
        step: on.constant(1),
      }));
      const forecast = [...outputs.values()][0]!;
      const loss = meanSquaredError(b, forecast, b.input("target", forecast.shape));
      const names = [...sparse.masks.keys()];
      const drawn = differentiate(
        b,
        loss,
        names.map((name) => parameters.get(name)!),
      );
      names.forEach((name, i) => {
        b.output(name, drawn[i]!);
      });
      const { graph, data } = b.build();
      const state = await reference.createState(new Map([...sparse.tensors, ...data]));
      const program = await reference.compile({ ...graph, updates: [] }, { state });
      let third: Int32Array | undefined;
      let seen = 0;
      const watching = {
        ...common.train,
        batch: (indices: ArrayLike<number>) => {
          if (++seen === 3) third = Int32Array.from(indices);
          return common.train.batch(indices);
        },
      };
      await fit({ ...common, train: watching, model: sparse, settings: still });
      const gradients = await program.run(inputsFrom(graph, common.train)(third!));
      const expected = regrown(sparse, gradients, exchangedAt(2, 3, { ...regrow, until: 0.9 }));
      let moved = 0;
      for (const [name, mask] of sparse.masks) {
        const now = model.masks.get(name)!;
        expect(now).toEqual(expected.get(name));
        expect(keptCount(now)).toBe(keptCount(mask));
        const [before, after] = [sparse.tensors.get(name)!.data, model.tensors.get(name)!.data];
        before.forEach((w, i) => {
          if (isKept(mask, i) !== isKept(now, i)) moved++;
          // New weights start from zero, and may take the one step that is left.
          expect(after[i]).toBeCloseTo(isKept(now, i) && isKept(mask, i) ? w : 0, 6);
        });
      }
      expect(moved).toBeGreaterThan(10);
    },
  );

  it("asks for a model that is masked", async () => {
    const asked = fit({ ...common, model: inverted, settings: { ...settings, regrow } });
    await expect(asked).rejects.toThrow("no weight of the model is masked");
  });
});
