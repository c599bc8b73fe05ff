import type { TensorProto } from "onnx-buf";
import { TensorProto_DataLocation as Location, TensorProto_DataType as Type } from "onnx-buf";
import { halfToFloat } from "../../half.ts";
import { UnreadableError } from "./errors.ts";
import type { Kind, Known, Source } from "./known.ts";
import { maxAxes } from "./sizes.ts";
import { shown } from "./text.ts";

/** Storage of an element type. */
interface Encoding {
  readonly kind: Kind;
  /** Bytes an element takes in `raw_data`. */
  readonly bytes: number;
  raw(view: DataView, at: number): number;
  /** Elements of the typed field that may hold them instead. */
  typed(tensor: TensorProto): ArrayLike<number | bigint>;
  /** From an element of that field. */
  convert?(element: number): number;
}

const bfloat16ToFloat = (bits: number) => new Float32Array(Uint32Array.of(bits << 16).buffer)[0]!;
const int32Data = (tensor: TensorProto) => tensor.int32Data;

const encodings: ReadonlyMap<Type, Encoding> = new Map([
  [
    Type.FLOAT,
    { kind: "float", bytes: 4, raw: (v, at) => v.getFloat32(at, true), typed: (t) => t.floatData },
  ],
  [
    Type.DOUBLE,
    { kind: "float", bytes: 8, raw: (v, at) => v.getFloat64(at, true), typed: (t) => t.doubleData },
  ],
  [
    Type.FLOAT16,
    {
      kind: "float",
      bytes: 2,
      raw: (v, at) => halfToFloat(v.getUint16(at, true)),
      typed: int32Data,
      convert: (bits) => halfToFloat(bits & 0xffff),
    },
  ],
  [
    Type.BFLOAT16,
    {
      kind: "float",
      bytes: 2,
      raw: (v, at) => bfloat16ToFloat(v.getUint16(at, true)),
      typed: int32Data,
      convert: (bits) => bfloat16ToFloat(bits & 0xffff),
    },
  ],
  [
    Type.INT64,
    { kind: "int", bytes: 8, raw: (v, at) => Number(v.getBigInt64(at, true)), typed: (t) => t.int64Data },
  ],
  [
    Type.UINT64,
    { kind: "int", bytes: 8, raw: (v, at) => Number(v.getBigUint64(at, true)), typed: (t) => t.uint64Data },
  ],
  [Type.INT32, { kind: "int", bytes: 4, raw: (v, at) => v.getInt32(at, true), typed: int32Data }],
  [Type.UINT32, { kind: "int", bytes: 4, raw: (v, at) => v.getUint32(at, true), typed: (t) => t.uint64Data }],
  [Type.INT16, { kind: "int", bytes: 2, raw: (v, at) => v.getInt16(at, true), typed: int32Data }],
  [Type.UINT16, { kind: "int", bytes: 2, raw: (v, at) => v.getUint16(at, true), typed: int32Data }],
  [Type.INT8, { kind: "int", bytes: 1, raw: (v, at) => v.getInt8(at), typed: int32Data }],
  [Type.UINT8, { kind: "int", bytes: 1, raw: (v, at) => v.getUint8(at), typed: int32Data }],
  [
    Type.BOOL,
    {
      kind: "bool",
      bytes: 1,
      raw: (v, at) => (v.getUint8(at) === 0 ? 0 : 1),
      typed: int32Data,
      convert: (bit) => (bit === 0 ? 0 : 1),
    },
  ],
] as [Type, Encoding][]);

/** The kind of known array for an element type; undefined for unsupported ones (text, complex and quantised numbers). */
export function kindOf(type: Type): Kind | undefined {
  return encodings.get(type)?.kind;
}

/** The name of an element type: `float16`. */
export function typeName(type: number): string {
  return (Type[type] ?? `type ${type}`).toLowerCase();
}

/** Extents as numbers. Throws an UnreadableError for an invalid shape. */
export function readShape(
  dims: readonly bigint[],
  refuse = (why: string) => new UnreadableError(why),
): number[] {
  if (dims.length > maxAxes) throw refuse(`it has ${dims.length} axes, but at most ${maxAxes} are supported`);
  return dims.map((dim) => {
    const extent = Number(dim);
    if (!(extent >= 0 && extent <= 2 ** 31)) throw refuse(`an axis cannot have length ${dim}`);
    return extent;
  });
}

/** Bytes of a tensor's numbers. Throws an UnreadableError for an unsupported shape or type. */
export function bytesOf({ dims, dataType }: TensorProto): number {
  const encoding = encodings.get(dataType);
  if (encoding === undefined) throw new UnreadableError(`${typeName(dataType)} cannot be read`);
  return readShape(dims).reduce((n, extent) => n * extent, encoding.bytes);
}

/**
 * Reads the numbers of a tensor in the file. Nothing is allocated for what the shape merely claims: the file must hold
 * exactly as many numbers. Throws an UnreadableError that names the tensor.
 */
export function readTensor(tensor: TensorProto, source?: Source): Known {
  const refuse = (why: string) => new UnreadableError(`tensor ${shown(tensor.name)}: ${why}`);
  const encoding = encodings.get(tensor.dataType);
  if (encoding === undefined)
    throw refuse(
      `${typeName(tensor.dataType)} cannot be read (${[...encodings.keys()].map(typeName).join(", ")} can)`,
    );
  if (tensor.dataLocation === Location.EXTERNAL)
    throw refuse("its data is in another file. Load the model by its path, or give the files with it");
  const shape = readShape(tensor.dims, refuse);
  const size = shape.reduce((n, extent) => n * extent, 1);
  const { kind, bytes } = encoding;
  const { rawData } = tensor;
  const typed = encoding.typed(tensor);
  const held = rawData.length > 0 ? rawData.length / bytes : typed.length;
  if (held !== size)
    throw refuse(`its shape [${shape.join(", ")}] needs ${size} numbers, but the file holds ${held}`);
  const data = tensor.dataType === Type.FLOAT ? new Float32Array(size) : new Float64Array(size);
  if (rawData.length > 0) {
    const view = new DataView(rawData.buffer, rawData.byteOffset, rawData.byteLength);
    for (let i = 0; i < size; i++) data[i] = encoding.raw(view, i * bytes);
  } else {
    const { convert = (element) => element } = encoding;
    for (let i = 0; i < size; i++) data[i] = convert(Number(typed[i]!));
  }
  return { kind, shape, data, ...(source && { source }) };
}
