import { tfjs } from "@espalier/backend-tfjs";
import { digest, EspalierError, isKept, type Model, prune, reference } from "@espalier/core";
import { encodeModel, readSafetensors, writeSafetensors } from "@espalier/formats";
import { sedimarkCrossformer } from "@espalier/models";
import { unstructured } from "@espalier/strategy-unstructured";
import { describe, expect, it } from "vitest";
import { type FitRequest, fit, type Progress, TrainingCheckpoint } from "../src/index.ts";
import { common, data, inverted, patched, settings } from "./small.ts";

const request: FitRequest = { ...common, model: patched, settings };
const weights = (model: Model) => digest({ ...model, history: [] });

/** The checkpoint after each epoch, as it comes back from its file. */
async function checkpoints(of: FitRequest): Promise<TrainingCheckpoint[]> {
  const made: TrainingCheckpoint[] = [];
  await fit({
    ...of,
    onCheckpoint: (checkpoint) => void made.push(TrainingCheckpoint.decode(checkpoint.encode())),
  });
  return made;
}

describe.each([reference, tfjs({ kind: "wasm" })])("a fit on $name", (backend) => {
  const here = { ...request, backend };

  it("gives the same bytes for the same seed, and others for another", async () => {
    const [first, second] = [await fit(here), await fit(here)];
    expect(encodeModel(second.model)).toEqual(encodeModel(first.model));
    const other = await fit({ ...here, settings: { ...settings, seed: 6 } });
    expect(weights(other.model)).not.toBe(weights(first.model));
    expect(first.epochs.map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
    expect(first.epochs.at(-1)!.trainLoss).toBeLessThan(first.epochs[0]!.trainLoss);
  });

  it("gives the same bytes when it is resumed after any epoch", async () => {
    const whole = await fit(here);
    for (const resume of await checkpoints(here)) {
      const resumed = await fit({ ...here, resume });
      expect(encodeModel(resumed.model)).toEqual(encodeModel(whole.model));
      expect(resumed.epochs.map(({ validation }) => validation)).toEqual(
        whole.epochs.map(({ validation }) => validation),
      );
    }
  });
});

it("counts its progress over all epochs, also where it is resumed", async () => {
  const seen: number[] = [];
  const onProgress = ({ done, total }: Progress) => void seen.push(done / total);
  const [first] = await checkpoints({ ...request, onProgress });
  expect(seen).toEqual(seen.map((_, i) => (i + 1) / seen.length));
  const whole = seen.splice(0);
  await fit({ ...request, resume: first!, onProgress });
  expect(seen).toEqual(whole.slice(whole.length / 3));
});

describe("a fit that is stopped", () => {
  /** Aborts in the middle of an epoch, after a number of steps. */
  const abortedAfter = (steps: number) => {
    const controller = new AbortController();
    let done = 0;
    return fit({
      ...request,
      signal: controller.signal,
      onProgress: () => {
        if (++done === steps) controller.abort();
      },
    });
  };

  it("keeps the weights of the best epoch, not those of the step it was stopped at", async () => {
    const finished = await fit({ ...request, settings: { ...settings, epochs: 2 } });
    const stopped = await abortedAfter(2 * settings.batchesPerEpoch + 2);
    expect(stopped.ended).toBe("aborted");
    expect(stopped.epochs).toHaveLength(2);
    expect(stopped.epochs[1]!.best).toBe(true);
    expect(weights(stopped.model)).toBe(weights(finished.model));
  });

  it("gives the model it was given where no epoch was done", async () => {
    const stopped = await abortedAfter(1);
    expect(stopped).toMatchObject({ epochs: [], ended: "aborted" });
    expect(stopped.model).toBe(patched);
  });

  it("does not wait for a validation to end", async () => {
    const controller = new AbortController();
    const validation = {
      ...data.validation,
      batch: (indices: ArrayLike<number>) => {
        controller.abort();
        return data.validation.batch(indices);
      },
    };
    const stopped = await fit({
      ...request,
      validation: { ...validation, count: 1000 },
      signal: controller.signal,
    });
    expect(stopped).toMatchObject({ epochs: [], ended: "aborted" });
  });

  it("ends early after epochs that are no better, and keeps the best", async () => {
    const still = { ...settings, epochs: 9, learningRate: 1e-30, patience: 2 };
    const { ended, epochs, model } = await fit({ ...request, model: inverted, settings: still });
    expect(ended).toBe("early");
    expect(epochs.map(({ best }) => best)).toEqual([true, false, false]);
    expect(model.history.at(-1)).toMatchObject({ did: "fit", best: 1, epochs: 3 });
  });
});

describe("a fit", () => {
  it("halves the learning rate after every epoch, or leaves it", async () => {
    const rates = async (rateSchedule: "halving" | "constant") =>
      (await fit({ ...request, settings: { ...settings, rateSchedule } })).epochs.map((e) => e.learningRate);
    expect(await rates("halving")).toEqual([0.01, 0.005, 0.0025]);
    expect(await rates("constant")).toEqual([0.01, 0.01, 0.01]);
  });

  it("leaves masked weights exactly zero, and trains the others", async () => {
    const plan = await unstructured().plan({ model: patched, amount: 0.6 });
    const sparse = prune(patched, plan);
    const tuned = (await fit({ ...request, model: sparse, settings: { ...settings, weightDecay: 0.01 } }))
      .model;
    expect(tuned.masks).toEqual(sparse.masks);
    for (const [name, mask] of sparse.masks) {
      const [before, after] = [sparse.tensors.get(name)!.data, tuned.tensors.get(name)!.data];
      after.forEach((w, i) => {
        if (isKept(mask, i)) expect(w).not.toBe(before[i]);
        else expect(Object.is(w, 0)).toBe(true);
      });
    }
  });

  it("updates running statistics, and no parameter that no output depends on", async () => {
    const { model } = await fit(request);
    const changed = (name: string, before: Model, after: Model) =>
      before.tensors.get(name)!.data.some((value, i) => value !== after.tensors.get(name)!.data[i]);
    for (const name of ["running_mean", "running_var"])
      expect(changed(`encoder.norm.1.${name}`, patched, model)).toBe(true);
    expect(changed("patch_embedding.position_embedding.pe", patched, model)).toBe(false);

    const published = sedimarkCrossformer({
      inputLength: 12,
      horizon: 4,
      series: 3,
      width: 4,
      feedForward: 4,
      heads: 2,
      blocks: 1,
      factor: 2,
    }).initialize(1);
    const trained = (
      await fit({ ...request, model: published, settings: { ...settings, epochs: 1, batchesPerEpoch: 1 } })
    ).model;
    expect(changed("encoder.encoder.0.encode_layer.0.MLP1.0.weight", published, trained)).toBe(false);
    expect(changed("enc_embedding.linear.weight", published, trained)).toBe(true);
  });

  it("says so where it diverges", async () => {
    const wild = { ...request, settings: { ...settings, learningRate: 1e30 } };
    await expect(fit(wild)).rejects.toThrow(
      /training diverged in epoch 1, step 2: the loss is (NaN|Infinity)/,
    );
    const once = { ...request, settings: { ...settings, learningRate: 1e30, batchesPerEpoch: 1 } };
    await expect(fit(once)).rejects.toThrow(/training diverged in epoch 1: the validation error is/);
  });

  it("refuses settings that make no sense, in one line", async () => {
    const refused = (change: object) =>
      expect(fit({ ...request, settings: { ...settings, ...change } })).rejects;
    await refused({ batchSize: 0 }).toThrow(/^training settings, batchSize: /);
    await refused({ learningRate: -1 }).toThrow(/^training settings, learningRate: /);
    await refused({ epoch: 3 }).toThrow(/^training settings, epoch: .*epochs/);
    await refused({ seed: 0.5 }).toThrow(EspalierError);
  });
});

describe("a checkpoint is refused", () => {
  it("for other settings or another model, and where it is damaged", async () => {
    const [first] = await checkpoints({ ...request, settings: { ...settings, epochs: 1 } });
    const resume = (change: Partial<FitRequest>) =>
      expect(fit({ ...request, resume: first!, ...change })).rejects;
    await resume({ settings: { ...settings, learningRate: 0.02 } }).toThrow(
      /learningRate 0\.01, but this run has 0\.02/,
    );
    await resume({ model: inverted }).toThrow(/trained from another model/);
    const file = first!.encode();
    expect(() => TrainingCheckpoint.decode(file.subarray(0, -1), "c.ckpt")).toThrow(/^c\.ckpt: .*truncated/);
    expect(() => TrainingCheckpoint.decode(encodeModel(patched), "c.ckpt")).toThrow(
      /not a training checkpoint/,
    );
    const { tensors, metadata } = readSafetensors(file);
    const without = (name: string) =>
      TrainingCheckpoint.decode(
        writeSafetensors(new Map([...tensors].filter(([own]) => own !== name)), metadata),
      );
    await resume({ resume: without("current/optimiser:step") }).toThrow(/damaged: it lacks "optimiser:step"/);
    await resume({ resume: without("best/head.linear.bias") }).toThrow(
      /damaged: it lacks "head.linear.bias"/,
    );
    const newer = writeSafetensors(tensors, { ...metadata, "espalier.training.version": "2" });
    expect(() => TrainingCheckpoint.decode(newer)).toThrow(/version 2 is newer/);
  });
});
