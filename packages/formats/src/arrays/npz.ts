import { EspalierError, type TensorData } from "@espalier/core";
import { numberBytes, toTensor } from "../numbers.ts";
import { extract, listEntries } from "../zip.ts";

/** Number formats of NumPy by the names that numbers.ts has. */
const formats: Readonly<Record<string, string>> = {
  "<f8": "F64",
  "<f4": "F32",
  "<f2": "F16",
  "<i8": "I64",
  "<i4": "I32",
  "<i2": "I16",
  "|i1": "I8",
  "|u1": "U8",
  "|b1": "BOOL",
};

/** The arrays of an `.npz` file (`numpy.savez`) by their names. Throws an EspalierError for what is none. */
export async function readNpz(bytes: Uint8Array, where: string): Promise<Map<string, TensorData>> {
  const entries = await listEntries(bytes, () => `${where}: it is not an .npz file, or it is truncated.`);
  const arrays = new Map<string, TensorData>();
  for (const [file, entry] of entries) {
    if (!file.endsWith(".npy")) continue;
    const name = file.slice(0, -".npy".length);
    arrays.set(
      name,
      readNpy(await extract(entry, bytes.length, `${where}: ${name}`), `${where}: array "${name}"`),
    );
  }
  return arrays;
}

/** One array in NumPy's format 1 to 3. */
function readNpy(bytes: Uint8Array, where: string): TensorData {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
  const damaged = (): EspalierError => new EspalierError(`${where} is damaged.`);
  if (bytes.length < 12 || magic.some((byte, i) => bytes[i] !== byte)) throw damaged();
  const [length, start] = bytes[6] === 1 ? [view.getUint16(8, true), 10] : [view.getUint32(8, true), 12];
  const header = new TextDecoder().decode(bytes.subarray(start, start + length));
  const descr = /'descr':\s*'([^']*)'/.exec(header)?.[1];
  const fortran = /'fortran_order':\s*(True|False)/.exec(header)?.[1];
  const extents = /'shape':\s*\(([^()]*)\)/.exec(header)?.[1];
  if (fortran === undefined || extents === undefined) throw damaged();
  const format = formats[descr ?? ""];
  if (format === undefined) {
    throw new EspalierError(
      `${where} holds ${descr ?? "records"}; numbers (${Object.keys(formats).join(", ")}) can be read.`,
    );
  }
  const shape = extents.split(",").flatMap((extent) => (extent.trim() === "" ? [] : [Number(extent)]));
  const size = shape.reduce((n, extent) => n * extent, 1);
  const data = bytes.slice(start + length);
  if (!Number.isSafeInteger(size) || data.length !== size * numberBytes[format]!) throw damaged();
  // Fortran's order is the other one of the reversed shape.
  if (fortran === "True" && shape.length > 1) {
    const turned = toTensor(data, format, shape.toReversed(), () => where);
    return rowMajor(turned, shape);
  }
  return toTensor(data, format, shape, () => where);
}

function rowMajor(turned: TensorData, shape: readonly number[]): TensorData {
  const data = turned.data.slice();
  const position = shape.map(() => 0);
  for (let i = 0; i < data.length; i++) {
    let from = 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) from = from * shape[axis]! + position[axis]!;
    data[i] = turned.data[from]!;
    for (let axis = shape.length - 1; axis >= 0 && ++position[axis]! === shape[axis]; axis--)
      position[axis] = 0;
  }
  return { ...turned, shape, data } as TensorData;
}
