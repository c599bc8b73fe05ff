import { EspalierError, type TensorData } from "@espalier/core/inference";
import { toTensor } from "../numbers.ts";
import { type Header, readHeader, type TensorEntry } from "./header.ts";

/** Bytes with a shape, for data other than numbers: masks. */
export interface RawBytes {
  readonly dtype: "uint8";
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** Numbers of fewer bytes than tensors have; bit patterns of the floating-point ones. They are read as tensors. */
export type RawNumbers =
  | { readonly dtype: "int8"; readonly shape: readonly number[]; readonly data: Int8Array }
  | { readonly dtype: "float16" | "bfloat16"; readonly shape: readonly number[]; readonly data: Uint16Array };

/** The content of a safetensors file. */
export interface Safetensors {
  /** Floating-point tensors as float32, integers as int32. */
  readonly tensors: ReadonlyMap<string, TensorData>;
  /** U8 tensors as they are. */
  readonly bytes: ReadonlyMap<string, RawBytes>;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Reads a safetensors file. Throws an EspalierError that names the file and the tensor for anything invalid: a
 * truncated or foreign file, offsets outside, integers that int32 cannot hold.
 */
export function readSafetensors(
  bytes: Uint8Array,
  { name = "safetensors" }: { readonly name?: string } = {},
): Safetensors {
  const header = readHeader(bytes, name);
  const tensors = new Map<string, TensorData>();
  const raw = new Map<string, RawBytes>();
  for (const [tensor, entry] of header.entries) {
    const data = sliceOf(bytes, header, entry);
    if (entry.dtype === "U8" || entry.dtype === "BOOL")
      raw.set(tensor, { dtype: "uint8", shape: entry.shape, data });
    else
      tensors.set(
        tensor,
        toTensor(data, entry.dtype, entry.shape, () => `${name}: tensor "${tensor}"`),
      );
  }
  return { tensors, bytes: raw, metadata: header.metadata };
}

/** A copy of an entry's bytes, so that the data is aligned and does not keep the file in memory. */
function sliceOf(bytes: Uint8Array, { dataStart }: Header, { begin, end }: TensorEntry): Uint8Array {
  // Not `slice`: that of Node's Buffer does not copy.
  return new Uint8Array(bytes.subarray(dataStart + begin, dataStart + end));
}

/** Writes tensors in the given order, 8-byte aligned as the format requires. The same content gives the same bytes. */
export function writeSafetensors(
  tensors: ReadonlyMap<string, TensorData | RawBytes | RawNumbers>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const entries: Record<string, unknown> = Object.create(null);
  if (Object.keys(metadata).length > 0) entries.__metadata__ = metadata;
  // Wider numbers first, so that each is aligned without gaps.
  const order = [...tensors].sort(([, a], [, b]) =>
    a.data.BYTES_PER_ELEMENT === b.data.BYTES_PER_ELEMENT
      ? 0
      : b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT,
  );
  let at = 0;
  for (const [name, { dtype, shape, data }] of order) {
    if (name === "__metadata__")
      throw new EspalierError('a tensor cannot be called "__metadata__" in a safetensors file.');
    const end = at + data.byteLength;
    entries[name] = { dtype: dtypeNames[dtype], shape, data_offsets: [at, end] };
    at = end;
  }
  const json = new TextEncoder().encode(JSON.stringify(entries));
  const padded = Math.ceil(json.length / 8) * 8;
  const file = new Uint8Array(8 + padded + at).fill(0x20, 8 + json.length, 8 + padded);
  new DataView(file.buffer).setBigUint64(0, BigInt(padded), true);
  file.set(json, 8);
  let offset = 8 + padded;
  for (const [, { data }] of order) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset);
    offset += data.byteLength;
  }
  return file;
}

const dtypeNames = {
  float32: "F32",
  float16: "F16",
  bfloat16: "BF16",
  int32: "I32",
  int8: "I8",
  uint8: "U8",
} as const;
