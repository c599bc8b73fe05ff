import { EspalierError } from "@espalier/core";
import { batch, type DataType, type Extent, isBatch, printShape, type Shape } from "@espalier/core/graph";
import { TensorProto_DataType as Type, type ValueInfoProto } from "onnx-buf";
import { typeName } from "./tensor-data.ts";
import { shown } from "./text.ts";

/** One input of the imported graph. */
export interface GraphInput {
  readonly name: string;
  readonly dtype: DataType;
  readonly shape: Shape;
}

/** Lengths for axes that a file leaves open, by their names in it. */
export type OpenAxes = Readonly<Record<string, number | "batch">>;

/** An axis before its length is decided: a number, or a multiple of a symbol. */
type Axis = number | { readonly symbol: string; readonly times: number };

const dtypes: ReadonlyMap<number, DataType> = new Map([
  [Type.FLOAT, "float32"],
  [Type.INT32, "int32"],
  [Type.INT64, "int32"],
] as const);

/**
 * Reads the inputs of a graph. One open axis is the batch: the first axis of the first input that is open there,
 * otherwise the first open axis; the others need a length. Throws an EspalierError that says which.
 */
export function readInputs(infos: readonly ValueInfoProto[], open: OpenAxes): GraphInput[] {
  const drafts = infos.map((info) => ({ name: info.name, dtype: dtypeOf(info), axes: axesOf(info) }));
  const batchName = batchSymbol(drafts, open);
  return drafts.map(({ name, dtype, axes }) => {
    const shape = axes.map((axis, i): Extent => {
      if (typeof axis === "number") return axis;
      const given = Object.hasOwn(open, axis.symbol) ? open[axis.symbol]! : undefined;
      if (given === "batch" || (given === undefined && axis.symbol === batchName))
        return { batch: axis.times };
      if (given !== undefined) return axis.times * given;
      throw new EspalierError(
        `input ${shown(name)} leaves axis ${i} open (${shown(axis.symbol)}); only the batch may stay open. Give its length: { axes: { ${shown(axis.symbol)}: 96 } }.`,
      );
    });
    if (shape.filter(isBatch).length > 1)
      throw new EspalierError(
        `input ${shown(name)} ${printShape(shape)} has the batch on more than one axis.`,
      );
    return { name, dtype, shape };
  });
}

function batchSymbol(
  drafts: readonly { readonly axes: readonly Axis[] }[],
  open: OpenAxes,
): string | undefined {
  const isOpen = (axis: Axis | undefined): axis is Exclude<Axis, number> =>
    typeof axis === "object" && !Object.hasOwn(open, axis.symbol);
  const first = drafts.map(({ axes }) => axes[0]).find(isOpen);
  return (first ?? drafts.flatMap(({ axes }) => axes).find(isOpen))?.symbol;
}

function dtypeOf({ name, type }: ValueInfoProto): DataType {
  const value = type?.value;
  if (value?.case !== "tensorType") throw new EspalierError(`input ${shown(name)} is not a tensor.`);
  const dtype = dtypes.get(value.value.elemType);
  if (dtype === undefined) {
    throw new EspalierError(
      `input ${shown(name)} holds ${typeName(value.value.elemType)}; a model takes float (float32), or int64 and int32 for indices.`,
    );
  }
  return dtype;
}

function axesOf({ name, type }: ValueInfoProto): Axis[] {
  const shape = type?.value.case === "tensorType" ? type.value.value.shape : undefined;
  if (shape === undefined)
    throw new EspalierError(`input ${shown(name)} has no shape. Export the model with one.`);
  if (shape.dim.length > 16) throw new EspalierError(`input ${shown(name)} has ${shape.dim.length} axes.`);
  return shape.dim.map(({ value }, axis): Axis => {
    if (value.case === "dimValue" && value.value > 0n) {
      if (value.value > 2n ** 31n)
        throw new EspalierError(`input ${shown(name)}: axis ${axis} cannot have length ${value.value}.`);
      return Number(value.value);
    }
    // Without a name the first axis is the batch; others are named by their position.
    const symbol =
      value.case === "dimParam" && value.value !== ""
        ? value.value.trim()
        : axis === 0
          ? "batch"
          : `${name}[${axis}]`;
    const product = /^(?:(\d{1,9})\s*\*\s*)?([^*]+?)(?:\s*\*\s*(\d{1,9}))?$/.exec(symbol);
    if (product === null) return { symbol, times: 1 };
    return { symbol: product[2]!.trim(), times: Number(product[1] ?? 1) * Number(product[3] ?? 1) };
  });
}

/** Opens the batch of the inputs of a file made for one batch size; undefined if they have no common first axis. */
export function withOpenBatch(
  inputs: readonly GraphInput[],
): { inputs: GraphInput[]; size: number } | undefined {
  const extents = inputs.flatMap(({ shape }) => shape.slice(0, 1));
  const [size] = extents;
  if (typeof size !== "number" || size < 1 || extents.some((extent) => extent !== size)) return undefined;
  if (inputs.some(({ shape }) => shape.some(isBatch))) return undefined;
  const opened = inputs.map((one) =>
    one.shape.length === 0 ? one : { ...one, shape: [batch, ...one.shape.slice(1)] },
  );
  return { inputs: opened, size };
}
