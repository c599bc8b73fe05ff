import { EspalierError } from "../errors.ts";
import { countElements } from "./extent.ts";
import type { DataType } from "./graph.ts";

/** Numbers with a shape, row-major: the data that a backend takes and returns. */
export interface TensorData {
  readonly dtype: DataType;
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array;
}

/** Creates a float32 tensor; the data must have exactly as many numbers as the shape. */
export function float32(shape: readonly number[], data: ArrayLike<number>): TensorData {
  return checked({
    dtype: "float32",
    shape,
    data: data instanceof Float32Array ? data : Float32Array.from(data),
  });
}

/** An int32 tensor (indices). */
export function int32(shape: readonly number[], data: ArrayLike<number>): TensorData {
  return checked({ dtype: "int32", shape, data: data instanceof Int32Array ? data : Int32Array.from(data) });
}

/** A float32 tensor of zeros. */
export function zeros(shape: readonly number[]): TensorData {
  return { dtype: "float32", shape, data: new Float32Array(countElements(shape)) };
}

function checked(tensor: TensorData): TensorData {
  const expected = countElements(tensor.shape);
  if (expected !== tensor.data.length) {
    throw new EspalierError(
      `a tensor of shape [${tensor.shape.join(", ")}] holds ${expected} numbers, but ${tensor.data.length} were given.`,
    );
  }
  return tensor;
}
