import { prunableDimensions } from "../dimensions/dimensions.ts";
import type { TensorData } from "../graph/tensor.ts";
import type { Model } from "../model/model.ts";
import { keptPositions, occursIn } from "../pruning/select.ts";

/**
 * The model with every member of a dimension zeroed at some indices, its shape as it was: what removing them has to
 * equal, as long as no normalisation runs over the dimension. `removed` is one list, or one for each outer index.
 */
export function maskMembers(
  model: Model,
  name: string,
  removed: readonly number[] | readonly (readonly number[])[],
): Model {
  const dimension = prunableDimensions(model.dimensions).find((d) => d.name === name)!;
  const nested = Array.isArray(removed[0]);
  const lists = (nested ? removed : [removed]) as readonly (readonly number[])[];
  const kept = {
    dimension: dimension.number,
    lists: lists.map((gone) =>
      Array.from({ length: dimension.size }, (_, i) => i).filter((i) => !gone.includes(i)),
    ),
    ...(nested ? { within: dimension.within! } : {}),
  };
  const tensors = new Map(model.tensors);
  for (const { name: tensor, value } of model.graph.tensors) {
    model.dimensions.axes[value]!.forEach((expression, axis) => {
      if (!occursIn(dimension.number, expression)) return;
      const positions = new Set(keptPositions(expression, kept, (d) => model.dimensions.list[d]!.size));
      tensors.set(tensor, zeroExcept(tensors.get(tensor)!, axis, positions));
    });
  }
  return { ...model, tensors };
}

function zeroExcept(tensor: TensorData, axis: number, positions: ReadonlySet<number>): TensorData {
  const inner = tensor.shape.slice(axis + 1).reduce((n, extent) => n * extent, 1);
  const extent = tensor.shape[axis]!;
  const data = tensor.data.map((value, i) => (positions.has(Math.floor(i / inner) % extent) ? value : 0));
  return { ...tensor, data: data as TensorData["data"] };
}
