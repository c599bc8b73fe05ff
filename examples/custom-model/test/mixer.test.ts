import { account, prunableDimensions } from "@espalier/core";
import { checkStrategy, modelChecks } from "@espalier/core/testing";
import { channel } from "@espalier/strategy-channel";
import { describe, expect, it } from "vitest";
import { mixer } from "../src/index.ts";

const model = mixer({
  inputLength: 12,
  horizon: 5,
  series: 3,
  timeWidth: 8,
  seriesWidth: 6,
  layers: 2,
}).initialize(1);

describe("a model written outside Espalier", () => {
  it("has the hidden widths of its perceptrons to prune, and nothing that is time or series", () => {
    expect(prunableDimensions(model.dimensions).map(({ name, size, kind }) => [name, size, kind])).toEqual([
      ["layers.0.time.in.weight[0]", 8, "channel"],
      ["layers.0.series.in.weight[0]", 6, "channel"],
      ["layers.1.time.in.weight[0]", 8, "channel"],
      ["layers.1.series.in.weight[0]", 6, "channel"],
    ]);
  });

  it.each(modelChecks(model).map((check) => [check.name, check] as const))("%s", async (_name, check) => {
    await check.run();
  });

  it("is pruned by a strategy that has never heard of it", async () => {
    expect((await checkStrategy(channel(), model)).applicable).toBe(true);
  });

  it("counts its products", () => {
    const layer = 3 * 2 * (2 * 12 * 8) + 12 * 2 * (2 * 3 * 6);
    expect(account(model).flops.total).toBe(2 * layer + 3 * (2 * 12 * 5));
  });

  it("refuses options that make no sense", () => {
    expect(() => mixer({ layers: 0 })).toThrow(/layers/);
  });
});
