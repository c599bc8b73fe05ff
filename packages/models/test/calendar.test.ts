import {
  float32,
  int32,
  randomInputs,
  reference,
  relativeError,
  runModel,
  type TensorData,
} from "@espalier/core";
import { modelChecks } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import {
  autoformer,
  fedformer,
  findModel,
  fromOriginalConfig,
  inferOptions,
  informer,
  nonstationaryTransformer,
  transformer,
} from "../src/index.ts";
import { checkpointOf, numbers, scaled } from "./torch/numbers.ts";
import cases from "./torch/time-series-library.json" with { type: "json" };

const sizes = {
  inputLength: 10,
  labelLength: 4,
  horizon: 3,
  series: 2,
  width: 6,
  heads: 2,
  feedForward: 5,
  layers: 1,
};

/** Month, day, weekday, hour and quarter, as time_series_library.py makes them. */
function calendar(name: string, rows: number, count: number): TensorData {
  const ranges = [
    [12, 1],
    [31, 1],
    [7, 0],
    [24, 0],
    [4, 0],
  ] as const;
  const { data } = numbers(name, [2, rows, count]);
  return int32(
    [2, rows, count],
    data.map(
      (share, i) => Math.floor(Math.fround(share + 0.5) * ranges[i % count]![0]) + ranges[i % count]![1],
    ),
  );
}

describe("calendar tables", () => {
  it.each(cases)(
    "$model, $config.embed, $config.freq: the forecast is PyTorch's",
    async ({ model, config, y }) => {
      const options = fromOriginalConfig(model, config) as never;
      const drawn = findModel(model)(options);
      const { marks } = drawn.options as { marks: number };
      const loaded = drawn.load(checkpointOf(drawn.graph));
      const history = scaled(numbers("x_enc", [2, config.seq_len, config.enc_in]), 2);
      const rows = config.label_len + config.pred_len;
      const start = float32(
        [2, rows, config.enc_in],
        Array.from({ length: 2 * rows * config.enc_in }, (_, i) => {
          const [n, row] = [Math.floor(i / (rows * config.enc_in)), Math.floor(i / config.enc_in) % rows];
          const from = (n * config.seq_len + config.seq_len - config.label_len + row) * config.enc_in;
          return row < config.label_len ? history.data[from + (i % config.enc_in)]! : 0;
        }),
      );
      const all = new Map([
        ["x_enc", history],
        ["x_mark_enc", calendar("x_mark_enc", config.seq_len, marks)],
        ["x_dec", start],
        ["x_mark_dec", calendar("x_mark_dec", rows, marks)],
      ]);
      const inputs = new Map(
        [...all].filter(([name]) => drawn.graph.inputs.some((input) => input.name === name)),
      );
      const output = (await runModel(loaded, reference, inputs)).get("output")!;
      expect(relativeError(output, float32([2, config.pred_len, config.enc_in], y))).toBeLessThan(1e-5);
    },
  );

  it.each(cases)(
    "$model, $config.embed, $config.freq: names and shapes are the library's",
    ({ model, config, calendar }) => {
      const { graph } = findModel(model)(fromOriginalConfig(model, config) as never);
      const own = graph.tensors.filter(({ name }) => name.includes("temporal_embedding"));
      expect(Object.fromEntries(own.map(({ name, value }) => [name, graph.values[value]!.shape]))).toEqual(
        calendar,
      );
    },
  );

  it.each([
    [transformer, "fixed"],
    [informer, "learned"],
    [nonstationaryTransformer, "fixed"],
    [autoformer, "learned"],
    [fedformer, "learned"],
  ] as const)("are seen in the weights, and pruned with the width", async (draw, timeEmbedding) => {
    const model = draw({ ...sizes, marks: 5, timeEmbedding }).initialize(1);
    expect(inferOptions(model.name, model.tensors).seen).toMatchObject({ marks: 5, timeEmbedding });
    for (const check of modelChecks(model)) await check.run();
    const inputs = randomInputs(model);
    expect(inputs.get("x_mark_enc")!.dtype).toBe("int32");
  });

  it("are refused for other numbers than the calendar's", () => {
    expect(() => transformer({ ...sizes, marks: 3, timeEmbedding: "learned" })).toThrow(
      "marks: must be 4, or 5 for minutes",
    );
    expect(() => fromOriginalConfig("iTransformer", { embed: "fixed" })).toThrow(
      "calendar numbers as tokens",
    );
    expect(() => fromOriginalConfig("Transformer", { embed: "sine" })).toThrow(
      "Known: timeF, fixed, learned.",
    );
  });
});
