import { float32, type Mask, type Model, type TensorData, type Tensors } from "@espalier/core";
import { maskFrom, randomStream } from "@espalier/core/graph";
import {
  autoformer,
  crossformer,
  fedformer,
  informer,
  iTransformer,
  patchTST,
  sedimarkCrossformer,
  transformer,
} from "@espalier/models";

const etth1 = { inputLength: 96, horizon: 96, series: 7 };
/** Widths of the studies that train for days. */
const narrow = { ...etth1, width: 128, feedForward: 512, heads: 8 };

/** The models that kernels are measured on, with random weights. */
export const benchModels = {
  iTransformer: () =>
    iTransformer({ ...etth1, width: 512, feedForward: 512, heads: 8, layers: 3, dropout: 0 }).initialize(1),
  PatchTST: () =>
    patchTST({
      ...etth1,
      inputLength: 336,
      width: 128,
      feedForward: 256,
      heads: 8,
      layers: 3,
      dropout: 0,
    }).initialize(1),
  Crossformer: () =>
    crossformer({ ...etth1, width: 256, feedForward: 512, heads: 4, layers: 3, dropout: 0 }).initialize(1),
  Transformer: () => transformer(narrow).initialize(1),
  Autoformer: () => autoformer(narrow).initialize(1),
  FEDformer: () => fedformer(narrow).initialize(1),
  Informer: () => informer(narrow).initialize(1),
  narrowCrossformer: () => crossformer({ ...narrow, layers: 2 }).initialize(1),
  /** SEDIMARK's, as its paper connects it, at its published width on the air quality of Helsinki. */
  connected: () =>
    sedimarkCrossformer({
      variant: "connected",
      inputLength: 24,
      horizon: 24,
      series: 7,
      width: 256,
      feedForward: 512,
      heads: 8,
    }).initialize(1),
} satisfies Record<string, () => Model>;

export type BenchModel = keyof typeof benchModels;

export interface Sparsity {
  /** Share of zeros in every trainable tensor with two or more axes. */
  readonly amount: number;
  /** Neighbouring outputs that are zero together. */
  readonly block: 1 | 2 | 4;
}

/** Random masks: 1 where kept. */
export function randomMasks(model: Model, { amount, block }: Sparsity): ReadonlyMap<string, TensorData> {
  const masks = new Map<string, TensorData>();
  for (const { name, role, value } of model.graph.tensors) {
    const shape = model.graph.values[value]!.shape as readonly number[];
    if (role !== "trainable" || shape.length < 2) continue;
    const random = randomStream(2, name);
    const columns = shape.slice(1).reduce((n, extent) => n * extent, 1);
    const data = new Float32Array(shape[0]! * columns);
    for (let row = 0; row < shape[0]!; row += block) {
      for (let k = 0; k < columns; k++) {
        const kept = random() >= amount ? 1 : 0;
        for (let i = row; i < Math.min(row + block, shape[0]!); i++) data[i * columns + k] = kept;
      }
    }
    masks.set(name, float32(shape, data));
  }
  return masks;
}

/** A model's tensors with random zeros, what is left scaled up so that activations keep their size. */
export function sparsified(model: Model, sparsity: Sparsity): Tensors {
  const masks = randomMasks(model, sparsity);
  const scale = 1 / Math.sqrt(1 - sparsity.amount);
  return new Map(
    [...model.tensors].map(([name, tensor]) => {
      const mask = masks.get(name);
      if (mask === undefined || sparsity.amount === 0) return [name, tensor];
      return [
        name,
        float32(
          tensor.shape,
          tensor.data.map((w, i) => w * mask.data[i]! * scale),
        ),
      ];
    }),
  );
}

/** Random inputs of a graph at a batch size. */
export function inputsFor(model: Model, batchSize: number): Map<string, TensorData> {
  return new Map(
    model.graph.inputs.map(({ name, value }) => {
      const shape = model.graph.values[value]!.shape.map((extent) =>
        typeof extent === "number" ? extent : extent.batch * batchSize,
      );
      const random = randomStream(3, name);
      const size = shape.reduce((n, extent) => n * extent, 1);
      return [
        name,
        float32(
          shape,
          Float32Array.from({ length: size }, () => 4 * random() - 2),
        ),
      ];
    }),
  );
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

export function quantile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(share * values.length)]!;
}

/** The model with random zeros, and masks that keep them. */
export function pruned(model: Model, sparsity: Sparsity): Model {
  if (sparsity.amount === 0) return model;
  const masks = new Map<string, Mask>();
  for (const [name, { shape, data }] of randomMasks(model, sparsity)) {
    masks.set(
      name,
      maskFrom(shape, (i) => data[i] === 1),
    );
  }
  return { ...model, tensors: sparsified(model, sparsity), masks };
}

/** Inputs of a training step: the model's, a target, and a learning rate. */
export function trainingInputs(model: Model, batchSize: number): Tensors {
  const { shape } = model.graph.values[model.graph.outputs[0]!.value]!;
  const sizes = shape.map((extent) => (typeof extent === "number" ? extent : extent.batch * batchSize));
  const target = Float32Array.from({ length: sizes.reduce((n, extent) => n * extent, 1) }, (_, i) =>
    Math.sin(i),
  );
  return new Map([
    ...inputsFor(model, batchSize),
    ["target", float32(sizes, target)],
    ["learningRate", float32([], [1e-4])],
  ]);
}
