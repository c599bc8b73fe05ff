import { EspalierError, printShape, type TensorData } from "@espalier/core/inference";

/**
 * The place in a tensor of scales for each element of a tensor in row-major order. Scales have the tensor's shape, with
 * 1 for the axes along which they do not change.
 */
export function scalePlaces(shape: readonly number[], scales: readonly number[]): (index: number) => number {
  return (index) => {
    let [place, step, rest] = [0, 1, index];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const extent = shape[axis]!;
      if (scales[axis] !== 1) {
        place += (rest % extent) * step;
        step *= extent;
      }
      rest = Math.floor(rest / extent);
    }
    return place;
  };
}

/** The numbers that int8 weights stand for. Throws an EspalierError, `where`, for scales that do not fit. */
export function scaled(
  whole: ArrayLike<number>,
  shape: readonly number[],
  scales: TensorData,
  where: () => string,
): Float32Array {
  const fits =
    scales.shape.length === shape.length &&
    scales.shape.every((extent, axis) => extent === 1 || extent === shape[axis]);
  if (!fits)
    throw new EspalierError(
      `${where()} has shape ${printShape(shape)}, its scales ${printShape(scales.shape)}.`,
    );
  const place = scalePlaces(shape, scales.shape);
  return Float32Array.from(whole, (step, i) => step * scales.data[place(i)]!);
}
