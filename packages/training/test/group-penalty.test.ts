import { tfjs } from "@espalier/backend-tfjs";
import { wasm } from "@espalier/backend-wasm";
import { type Model, prunableDimensions, reference } from "@espalier/core";
import { groupSlices } from "@espalier/core/pruning";
import { describe, expect, it } from "vitest";
import { fit } from "../src/index.ts";
import { common, inverted, settings } from "./small.ts";

/** Shares of a dimension's weight that its groups have, smallest first. */
function groupsOf(model: Model): number[] {
  const hidden = prunableDimensions(model.dimensions).find(({ name }) => name.includes("conv1.weight[0]"))!;
  const norms = groupSlices(model, hidden).vectors.map((w) => Math.hypot(...w));
  return norms.sort((a, b) => a - b);
}

describe.each([reference, tfjs({ kind: "wasm" }), wasm()])("a group penalty on $name", (backend) => {
  it("makes whole groups small, and is not part of the loss that is shown", async () => {
    const here = { ...common, backend, model: inverted };
    const long = {
      ...settings,
      epochs: 2,
      batchesPerEpoch: 20,
      learningRate: 0.01,
      rateSchedule: "constant",
    };
    const free = await fit({ ...here, settings: long as typeof settings });
    const held = await fit({ ...here, settings: { ...long, groupPenalty: 0.003 } as typeof settings });
    const [without, withPenalty] = [groupsOf(free.model), groupsOf(held.model)];
    expect(withPenalty[0]).toBeLessThan(0.25 * without[0]!);
    expect(withPenalty.at(-1)).toBeGreaterThan(4 * withPenalty[0]!);
    expect(held.epochs[0]!.trainLoss).toBeLessThan(2 * free.epochs[0]!.trainLoss);
    expect(held.model.history).toMatchObject([{ settings: { groupPenalty: 0.003 } }]);
  });
});
