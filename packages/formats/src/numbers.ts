import { EspalierError, type TensorData } from "@espalier/core/inference";
import { halfToFloat } from "./half.ts";

/** Supported number formats, by safetensors' names, with their bytes per element. */
export const numberBytes: Readonly<Record<string, number>> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
};

/**
 * Converts little-endian numbers to a tensor: floating-point ones to float32, integers to int32. `bytes` must be an
 * aligned copy. Throws an EspalierError that begins with `where()` for an integer that int32 cannot hold.
 */
export function toTensor(
  bytes: Uint8Array,
  dtype: string,
  shape: readonly number[],
  where: () => string,
): TensorData {
  const buffer = bytes.buffer as ArrayBuffer;
  const floats = (data: Float32Array): TensorData => ({ dtype: "float32", shape, data });
  const integers = (data: Int32Array): TensorData => ({ dtype: "int32", shape, data });
  switch (dtype) {
    case "F32":
      return floats(new Float32Array(buffer));
    case "F64":
      return floats(Float32Array.from(new Float64Array(buffer)));
    case "F16":
      return floats(Float32Array.from(new Uint16Array(buffer), halfToFloat));
    case "BF16":
      return floats(new Float32Array(Uint32Array.from(new Uint16Array(buffer), (bits) => bits << 16).buffer));
    case "I64":
      return integers(
        Int32Array.from(new BigInt64Array(buffer), (value) => {
          const number = Number(value);
          if (number !== (number | 0))
            throw new EspalierError(`${where()} holds ${value}, which int32 cannot hold.`);
          return number;
        }),
      );
    case "I32":
      return integers(new Int32Array(buffer));
    case "I16":
      return integers(Int32Array.from(new Int16Array(buffer)));
    case "U8":
    case "BOOL":
      return integers(Int32Array.from(bytes));
    default:
      return integers(Int32Array.from(new Int8Array(buffer)));
  }
}
