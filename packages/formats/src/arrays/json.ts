import { EspalierError, float32, type TensorData } from "@espalier/core";

/** JSON has no names for numbers that are not finite. */
const notFinite: Readonly<Record<string, number>> = {
  nan: Number.NaN,
  inf: Number.POSITIVE_INFINITY,
  "-inf": Number.NEGATIVE_INFINITY,
};

/**
 * The arrays of a JSON document by their names: nested lists, or `{ "shape": [2, 3], "data": [...] }`. Those in `inputs`
 * and `outputs` may lie apart. Throws an EspalierError for anything else.
 */
export function readJsonArrays(bytes: Uint8Array, where: string): Map<string, TensorData> {
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw new EspalierError(`${where}: it is not JSON. (Numbers may be "nan", "inf" or "-inf", in quotes.)`);
  }
  if (!isRecord(document)) throw new EspalierError(`${where}: expected arrays by their names.`);
  const { inputs, outputs } = document;
  const groups = isRecord(inputs) ? [inputs, isRecord(outputs) ? outputs : {}] : [document];
  return new Map(
    groups.flatMap((group) =>
      Object.entries(group).map(([name, array]): [string, TensorData] => [
        name,
        arrayOf(array, `${where}: array "${name}"`),
      ]),
    ),
  );
}

function arrayOf(given: unknown, where: string): TensorData {
  const shape: number[] = [];
  let lists: unknown = given;
  if (isRecord(given) && Array.isArray(given.shape)) {
    shape.push(...given.shape.map(Number));
    lists = given.data;
  } else {
    for (let inner = given; Array.isArray(inner); inner = inner[0]) shape.push(inner.length);
  }
  const flat = Array.isArray(lists) ? lists.flat(Number.POSITIVE_INFINITY) : [lists];
  const numbers = flat.map((one) => (typeof one === "string" ? notFinite[one.toLowerCase()] : one));
  const size = shape.reduce((n, extent) => n * extent, 1);
  if (numbers.length !== size || !numbers.every((one) => typeof one === "number"))
    throw new EspalierError(`${where} is not an array of numbers with the same length on every axis.`);
  return float32(shape, numbers as number[]);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
