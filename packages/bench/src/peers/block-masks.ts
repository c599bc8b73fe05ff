import {
  countElements,
  type Mask,
  type MaskStep,
  type Model,
  maskFrom,
  prunableTensors,
  randomStream,
} from "@espalier/core";

/**
 * Random masks in blocks of `rows` × 1, the same share of every weight with two or more axes. A block is `rows`
 * consecutive outputs (rows) that share one input (column), as a linear layer's weight [outputs, inputs] has them; the
 * last rows may be fewer. Tensors with more axes are no such weights: their elements are masked one by one.
 */
export function randomBlocks(model: Model, rows: number, share: number, seed: number): MaskStep[] {
  return prunableTensors(model).map((parameter) => {
    const { shape } = model.tensors.get(parameter)!;
    const height = shape.length === 2 ? rows : 1;
    const keep = blockMask(shape, height, share, randomStream(seed, parameter));
    const because = `${(100 * share).toFixed(1)} % of its ${height}×1 blocks, at random`;
    return { do: "mask", parameter, keep, because };
  });
}

/** Removes the share of all blocks, to the nearest block. */
function blockMask(shape: readonly number[], height: number, share: number, random: () => number): Mask {
  const columns = shape.at(-1)!;
  const bands = Math.ceil(countElements(shape) / columns / height);
  const blocks = Array.from({ length: bands * columns }, (_, i) => i);
  const removed = Math.round(share * blocks.length);
  // The first part of a shuffle (Fisher and Yates) is a random choice.
  for (let i = 0; i < removed; i++) {
    const j = i + Math.floor(random() * (blocks.length - i));
    [blocks[i], blocks[j]] = [blocks[j]!, blocks[i]!];
  }
  const kept = new Uint8Array(blocks.length).fill(1);
  for (const block of blocks.slice(0, removed)) kept[block] = 0;
  return maskFrom(shape, (at) => kept[Math.floor(at / columns / height) * columns + (at % columns)] === 1);
}
