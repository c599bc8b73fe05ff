import { isKept, type Mask, type Model, type TensorData } from "@espalier/core";
import { maskFrom } from "@espalier/core/graph";
import type { RegrowSettings } from "./options.ts";

/** Whether masks change before a step, from 0. */
export function regrowsAt(step: number, total: number, { every, until }: RegrowSettings): boolean {
  return step > 0 && step % every === 0 && step < until * total;
}

/** Share of the kept weights that is exchanged at a step: falls along half a cosine. */
export function exchangedAt(step: number, total: number, { share, until }: RegrowSettings): number {
  return (share / 2) * (1 + Math.cos((Math.PI * step) / (until * total)));
}

/**
 * RigL (Evci et al., ICML 2020): in each tensor, the smallest kept weights are masked, and as many of the masked
 * weights with the largest gradient are restored. Densities do not change; ties are broken by index order.
 */
export function regrown(
  model: Model,
  gradients: ReadonlyMap<string, TensorData>,
  share: number,
): Map<string, Mask> {
  return new Map(
    [...model.masks].flatMap(([name, mask]) => {
      const gradient = gradients.get(name)?.data;
      return gradient === undefined
        ? []
        : [[name, exchanged(mask, model.tensors.get(name)!.data, gradient, share)] as const];
    }),
  );
}

function exchanged(mask: Mask, weights: ArrayLike<number>, gradient: ArrayLike<number>, share: number): Mask {
  const kept = new Uint8Array(weights.length);
  for (let i = 0; i < kept.length; i++) kept[i] = isKept(mask, i) ? 1 : 0;
  const indices = (state: 0 | 1) => Array.from(kept.keys()).filter((i) => kept[i] === state);
  const active = indices(1);
  const count = Math.min(Math.floor(share * active.length), kept.length - active.length);
  active.sort((a, b) => Math.abs(weights[a]!) - Math.abs(weights[b]!) || a - b);
  for (const i of active.slice(0, count)) kept[i] = 0;
  const open = indices(0).sort((a, b) => Math.abs(gradient[b]!) - Math.abs(gradient[a]!) || a - b);
  for (const i of open.slice(0, count)) kept[i] = 1;
  return maskFrom(mask.shape, (i) => kept[i] === 1);
}
