import { type Backend, digest, reference, type State } from "@espalier/core";
import { forecastingDataOf, loadSynthetic } from "@espalier/datasets";
import { iTransformer } from "@espalier/models";
import { describe, expect, it } from "vitest";
import { fit, type TrainingCheckpoint } from "../src/index.ts";

const lengths = { inputLength: 12, horizon: 4 };
const options = { ...lengths, series: 7, width: 8, feedForward: 8, heads: 2, layers: 1, dropout: 0 };
const { train, validation } = forecastingDataOf(await loadSynthetic({ rows: 300 }), lengths);
const settings = {
  epochs: 1,
  batchSize: 8,
  batchesPerEpoch: 4,
  learningRate: 0.01,
  rateSchedule: "halving",
  seed: 3,
} as const;
const common = { backend: reference, train, validation, settings };
const dense = iTransformer(options).initialize(1);
const other = iTransformer(options).initialize(2);
describe("distillation", () => {
  it("from itself alone leaves nothing to learn", async () => {
    const teacher = { model: dense, weight: 1 };
    const one = { ...settings, batchesPerEpoch: 1 };
    const { epochs } = await fit({ ...common, model: dense, teacher, settings: one });
    expect(epochs[0]!.trainLoss).toBeLessThan(1e-10);
  });

  it("mixes the teacher's distance into the loss by its weight", async () => {
    const first = { ...settings, batchesPerEpoch: 1 };
    const lossWith = async (weight?: number) => {
      const teacher = weight === undefined ? {} : { teacher: { model: other, weight } };
      return (await fit({ ...common, ...teacher, model: dense, settings: first })).epochs[0]!.trainLoss;
    };
    const [truth, taught, half] = [await lossWith(), await lossWith(1), await lossWith(0.5)];
    expect(taught).not.toBeCloseTo(truth, 2);
    expect(half).toBeCloseTo((truth + taught) / 2, 5);
  });

  it("is recorded, and part of what a checkpoint goes on from", async () => {
    let checkpoint: TrainingCheckpoint | undefined;
    const teacher = { model: other, weight: 0.5 };
    const onCheckpoint = (made: TrainingCheckpoint) => {
      checkpoint = made;
    };
    const { model } = await fit({ ...common, model: dense, teacher, onCheckpoint });
    expect(model.history.at(-1)).toMatchObject({
      did: "fit",
      teacher: { model: digest(other), weight: 0.5 },
    });
    const again = { ...common, model: dense, settings: { ...settings, epochs: 2 }, resume: checkpoint! };
    await expect(fit(again)).rejects.toThrow("with another teacher");
    expect((await fit({ ...again, teacher })).epochs).toHaveLength(2);
  });

  it("computes each forecast of the teacher once, if every epoch passes over all windows", async () => {
    const whole = { ...settings, epochs: 3, batchesPerEpoch: undefined };
    const teacher = { model: other, weight: 0.5 };
    let asked = 0;
    const counting: Backend = {
      ...reference,
      async compile(graph, options) {
        const program = await reference.compile(graph, options);
        const isTeacher = states.length === 2 && options.state === states[1];
        return {
          ...program,
          run(inputs, how) {
            if (isTeacher) asked += inputs.get("x_enc")!.shape[0]!;
            return program.run(inputs, how);
          },
        };
      },
      async createState(tensors) {
        states.push(await reference.createState(tensors));
        return states.at(-1)!;
      },
    };
    const states: State[] = [];
    const kept = await fit({ ...common, backend: counting, model: dense, teacher, settings: whole });
    expect(asked).toBe(train.count);

    // Fits that follow with the same teacher and windows need none.
    states.length = 0;
    await fit({ ...common, backend: counting, model: dense, teacher, settings: { ...whole, seed: 9 } });
    expect(asked).toBe(train.count);

    // A resumed fit in another process computes them again, the same.
    let checkpoint: TrainingCheckpoint | undefined;
    const onCheckpoint = (made: TrainingCheckpoint) => {
      checkpoint ??= made;
    };
    const request = { ...common, train: { ...train }, model: dense, teacher, settings: whole };
    await fit({ ...request, onCheckpoint });
    const resumed = await fit({ ...request, train: { ...train }, resume: checkpoint! });
    expect(digest(resumed.model)).toBe(digest(kept.model));
  });

  it("refuses a weight outside (0, 1]", async () => {
    const teacher = { model: other, weight: 0 };
    await expect(fit({ ...common, model: dense, teacher })).rejects.toThrow("weight 0 is outside (0, 1]");
  });
});
