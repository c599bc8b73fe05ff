import { randomInputs, reference, runModel } from "@espalier/core";
import type { Graph } from "@espalier/core/graph";
import { describe, expect, it } from "vitest";
import { autoformer } from "../src/index.ts";

const small = { series: 2, width: 6, heads: 3, feedForward: 5, layers: 1, movingAverage: 3, marks: 0 };

/** Delays that each attention chooses among, and how many it takes. */
const delays = ({ nodes, values }: Graph) =>
  nodes
    .filter(({ operator }) => operator.name === "TopK")
    .map(({ inputs, outputs }) => [values[inputs[0]!]!.shape[1], values[outputs[0]!]!.shape[1]]);

describe("Autoformer at odd lengths", () => {
  it("has a delay less than rows, as irfft without a length gives them", async () => {
    const model = autoformer({
      ...small,
      inputLength: 9,
      labelLength: 4,
      horizon: 3,
      factor: 2,
    }).initialize();
    // Encoder over 9 rows; decoder over 7 rows twice: ⌊2 · ln 9⌋ and ⌊2 · ln 7⌋ delays.
    expect(delays(model.graph)).toEqual([
      [8, 4],
      [6, 3],
      [6, 3],
    ]);
    const { output } = Object.fromEntries(await runModel(model, reference, randomInputs(model)));
    expect(output!.shape).toEqual([2, 3, 2]);
    expect(output!.data.every(Number.isFinite)).toBe(true);
  });

  it("has as many delays as rows at even ones", () => {
    const even = autoformer({ ...small, inputLength: 8, labelLength: 4, horizon: 4, factor: 2 });
    expect(delays(even.graph)[0]).toEqual([8, 4]);
  });

  it("refuses lengths at which no delay would be aggregated", () => {
    const draw = (inputLength: number, factor: number) =>
      autoformer({ ...small, inputLength, labelLength: 1, horizon: 8, factor });
    expect(() => draw(2, 1)).toThrow(/no delay would be aggregated/);
    expect(() => draw(1, 9)).toThrow(/no delay would be aggregated/);
    expect(() => draw(3, 1)).not.toThrow();
  });
});
