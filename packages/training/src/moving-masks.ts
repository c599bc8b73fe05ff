import {
  float32,
  isKept,
  keptCount,
  type Mask,
  type Model,
  prunableTensors,
  type State,
  type TensorData,
} from "@espalier/core";
import { intersect, maskFrom, maskValues } from "@espalier/core/graph";
import { maskName, momentNames } from "./training-step.ts";

/**
 * The model with a mask that keeps everything on each tensor that pruning may mask, so that the training graph has room
 * for masks.
 */
export function withOpenMasks(model: Model): Model {
  const masks = new Map(model.masks);
  for (const name of prunableTensors(model)) {
    if (!masks.has(name))
      masks.set(
        name,
        maskFrom(model.tensors.get(name)!.shape, () => true),
      );
  }
  return { ...model, masks };
}

/** Masks of a model in training that may change between two steps. They are stored in the training state. */
export class MovingMasks {
  readonly #model: Model;
  readonly #state: State;
  /** Names of the tensors that have a mask. */
  readonly tensors: readonly string[];

  constructor(model: Model, state: State) {
    this.#model = model;
    this.#state = state;
    this.tensors = [...model.masks.keys()];
  }

  /** Names of the tensors to remember: masks, and the weights under them. */
  get names(): readonly string[] {
    return this.tensors.flatMap((name) => [name, maskName(name)]);
  }

  /** The model in its current state. */
  async current(): Promise<Model> {
    const names = [...this.#model.tensors.keys()];
    const read = await this.#state.read([...names, ...this.tensors.map(maskName)]);
    const tensors = new Map(names.map((name) => [name, read.get(name)!]));
    return { ...this.#model, tensors, masks: masksIn(read, this.tensors) };
  }

  /**
   * Replaces the masks. Newly masked weights become zero, those that are no longer masked start from zero, and the
   * optimiser's moments of both are reset.
   */
  async replace(before: Model, masks: ReadonlyMap<string, Mask>): Promise<void> {
    const writes = new Map<string, TensorData>();
    for (const [name, now] of masks) {
      const old = before.masks.get(name)!;
      // A parameter that no output depends on has no moments.
      const moments = momentNames(name).filter((moment) => this.#state.names.includes(moment));
      const held = await this.#state.read(moments);
      const stays = (i: number) => isKept(old, i) && isKept(now, i);
      const { shape } = now;
      const cleared = ({ data }: TensorData) =>
        float32(
          shape,
          data.map((value, i) => (stays(i) ? value : 0)),
        );
      writes.set(name, cleared(before.tensors.get(name)!));
      for (const moment of moments) writes.set(moment, cleared(held.get(moment)!));
      writes.set(maskName(name), float32(shape, maskValues(now)));
    }
    await this.#state.write(writes);
  }
}

/** The masks of a model as tensors of a training. */
export function maskTensors({ masks }: Model): Map<string, TensorData> {
  return new Map([...masks].map(([name, mask]) => [maskName(name), float32(mask.shape, maskValues(mask))]));
}

/** The masks among a state's tensors. */
export function masksIn(
  tensors: ReadonlyMap<string, TensorData>,
  names: readonly string[],
): Map<string, Mask> {
  return new Map(
    names.map((name) => {
      const { shape, data } = tensors.get(maskName(name))!;
      return [name, maskFrom(shape, (i) => data[i] !== 0)];
    }),
  );
}

/** Masks that keep everything are dropped. */
export function closedMasks(masks: ReadonlyMap<string, Mask>): Map<string, Mask> {
  return new Map([...masks].filter(([, mask]) => keptCount(mask) < mask.shape.reduce((n, e) => n * e, 1)));
}

/** Masked weights stay masked: combines a plan's mask with the previous one. */
export function tightened(before: ReadonlyMap<string, Mask>, name: string, keep: Mask): Mask {
  const old = before.get(name);
  return old === undefined ? keep : intersect(old, keep);
}
