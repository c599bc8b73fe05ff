/** A tensor as the format's own documentation describes it, bytes not interpreted. */
export interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

interface Stored {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

const sizes: Readonly<Record<string, number>> = { F32: 4, I32: 4, U8: 1 };

/** Reads safetensors strictly by its published description, sharing no code with the package. */
export function readStrictly(file: Uint8Array): {
  metadata: Record<string, string>;
  tensors: Map<string, Entry>;
} {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const length = Number(view.getBigUint64(0, true));
  const text = new TextDecoder("utf-8", { fatal: true }).decode(file.subarray(8, 8 + length));
  if (text[0] !== "{") throw new Error("the header does not begin with {");
  if (length % 8 !== 0) throw new Error("the data is not aligned to 8 bytes");
  const { __metadata__: metadata = {}, ...entries } = JSON.parse(text);
  if (!Object.values(metadata).every((value) => typeof value === "string"))
    throw new Error("metadata is not text");
  const data = file.subarray(8 + length);
  const covered = new Uint8Array(data.length);
  const tensors = new Map<string, Entry>();
  for (const [name, { dtype, shape, data_offsets: offsets, ...more }] of Object.entries(
    entries as Record<string, Stored>,
  )) {
    const [begin, end] = offsets;
    const count = shape.reduce((n, extent) => n * extent, 1);
    if (Object.keys(more).length > 0 || sizes[dtype] === undefined)
      throw new Error(`${name}: an unknown entry`);
    if (end - begin !== count * sizes[dtype]!) throw new Error(`${name}: another size than its shape's`);
    if ((8 + length + begin) % sizes[dtype] !== 0) throw new Error(`${name}: not aligned`);
    for (let i = begin; i < end; i++) {
      if (i >= data.length || covered[i]!++ > 0) throw new Error(`${name}: outside, or over another tensor`);
    }
    tensors.set(name, { dtype, shape, bytes: data.slice(begin, end) });
  }
  if (covered.includes(0)) throw new Error("the data has holes");
  return { metadata, tensors };
}
