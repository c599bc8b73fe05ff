import { describe, expect, it } from "vitest";
import { fit, type TrainingCheckpoint } from "../src/index.ts";
import { rateAt } from "../src/rate.ts";
import { common, inverted, settings } from "./small.ts";

const base = { learningRate: 0.2, epochs: 4, warmup: 0 } as const;
const rates = (change: object, perEpoch = 5) =>
  Array.from({ length: 20 }, (_, step) =>
    rateAt(step, perEpoch, { ...base, rateSchedule: "cosine", ...change }),
  );

describe("the learning rate", () => {
  it("falls along half a cosine from the rate to a hundredth of it", () => {
    const all = rates({});
    expect(all[0]).toBeCloseTo(0.2, 12);
    expect(all.at(-1)).toBeCloseTo(0.002, 12);
    all.forEach((rate, i) => {
      expect(rate).toBeCloseTo(0.002 + 0.198 * Math.cos((Math.PI * i) / 38) ** 2, 12);
    });
  });

  it("rises first for as long as asked, whatever follows", () => {
    for (const rateSchedule of ["cosine", "constant", "halving"] as const) {
      const all = rates({ warmup: 0.2, rateSchedule });
      expect(all.slice(0, 4)).toEqual([1, 2, 3, 4].map((k) => (0.2 * k) / 5));
    }
    expect(rates({ warmup: 0.2 })[4]).toBeCloseTo(0.2, 12);
    expect(rates({ warmup: 0.2, rateSchedule: "constant" }).slice(4)).toEqual(Array(16).fill(0.2));
  });

  it("that follows the number of epochs lets no checkpoint go on to more of them", async () => {
    const resumed = async (change: object) => {
      let resume: TrainingCheckpoint | undefined;
      const first = { ...settings, epochs: 1, ...change };
      const onCheckpoint = (made: TrainingCheckpoint) => {
        resume = made;
      };
      await fit({ ...common, model: inverted, settings: first, onCheckpoint });
      return fit({ ...common, model: inverted, settings: { ...first, epochs: 2 }, resume: resume! });
    };
    expect((await resumed({ rateSchedule: "halving" })).epochs).toHaveLength(2);
    const refused = "trained with epochs 1, but this run has 2";
    await expect(resumed({ rateSchedule: "cosine" })).rejects.toThrow(refused);
    await expect(resumed({ warmup: 0.1 })).rejects.toThrow(refused);
  });

  it("of a fit is the one of its last step in each epoch's record", async () => {
    const cosine = { ...settings, rateSchedule: "cosine" } as const;
    const { epochs } = await fit({ ...common, model: inverted, settings: cosine });
    const steps = settings.batchesPerEpoch;
    expect(epochs.map(({ learningRate }) => learningRate)).toEqual(
      [1, 2, 3].map((e) => rateAt(e * steps - 1, steps, { ...cosine, warmup: 0 })),
    );
  });
});
