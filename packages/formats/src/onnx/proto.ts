import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { EspalierError, type TensorData } from "@espalier/core";
import type { DataType, Shape } from "@espalier/core/graph";
import {
  type AttributeProto,
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  TensorProto_DataType as ElementType,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "onnx-buf";

/** Conversion between the parts of ONNX files and core's data. The schema is ONNX's own (package onnx-buf). */

/** Element types of core's values. */
export const elementTypes: Readonly<Record<DataType, ElementType>> = {
  float32: ElementType.FLOAT,
  int32: ElementType.INT32,
};

/** The name of an axis whose extent depends on the batch size: `batch`, `7*batch`. */
export function axisName(factor: number): string {
  return factor === 1 ? "batch" : `${factor}*batch`;
}

/** An input or output of a graph: extents that depend on the batch size are dynamic. */
export function valueInfo(name: string, dtype: DataType, shape: Shape): ValueInfoProto {
  const dim = shape.map((extent) =>
    typeof extent === "number"
      ? { value: { case: "dimValue" as const, value: BigInt(extent) } }
      : { value: { case: "dimParam" as const, value: axisName(extent.batch) } },
  );
  return create(ValueInfoProtoSchema, {
    name,
    type: { value: { case: "tensorType", value: { elemType: elementTypes[dtype], shape: { dim } } } },
  });
}

/** A tensor with its numbers as raw bytes (little-endian, like every platform that runs JavaScript). */
export function tensorProto(name: string, { dtype, shape, data }: TensorData): TensorProto {
  return rawTensor(name, elementTypes[dtype], shape, data);
}

/** Integers for shapes, axes and positions: int64, with one axis by default. */
export function int64Tensor(
  name: string,
  values: readonly number[],
  shape: readonly number[] = [values.length],
): TensorProto {
  return rawTensor(name, ElementType.INT64, shape, BigInt64Array.from(values, BigInt));
}

/** A tensor of float16 bit patterns. */
export function float16Tensor(name: string, shape: readonly number[], bits: Uint16Array): TensorProto {
  return rawTensor(name, ElementType.FLOAT16, shape, bits);
}

function rawTensor(
  name: string,
  dataType: ElementType,
  shape: readonly number[],
  data: ArrayBufferView,
): TensorProto {
  return create(TensorProtoSchema, {
    name,
    dataType,
    dims: shape.map(BigInt),
    rawData: new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength),
  });
}

type AttributeInit = MessageInitShape<typeof AttributeProtoSchema>;

/** An attribute without its name. */
export type AttributeValue = AttributeInit;

export const int = (value: number): AttributeValue => ({ type: AttributeType.INT, i: BigInt(value) });
export const ints = (values: readonly number[]): AttributeValue => ({
  type: AttributeType.INTS,
  ints: values.map(BigInt),
});
export const float = (value: number): AttributeValue => ({ type: AttributeType.FLOAT, f: value });
export const text = (value: string): AttributeValue => ({
  type: AttributeType.STRING,
  s: new TextEncoder().encode(value),
});

export function nodeProto(
  name: string,
  opType: string,
  input: readonly string[],
  output: readonly string[],
  attributes: Readonly<Record<string, AttributeValue>> = {},
): NodeProto {
  return create(NodeProtoSchema, {
    name,
    opType,
    input: [...input],
    output: [...output],
    attribute: Object.entries(attributes).map(
      ([key, value]): AttributeProto => create(AttributeProtoSchema, { ...value, name: key }),
    ),
  });
}

/** A protobuf message holds less than 2 GiB. */
const maxBytes = 2 ** 31 - 1;

/** Throws an EspalierError if tensors are too large for one file. */
export function checkSize(bytes: number): void {
  // The graph itself is small compared with its tensors; a MiB for it is plenty.
  if (bytes + 2 ** 20 <= maxBytes) return;
  throw new EspalierError(
    `the tensors take ${(bytes / 2 ** 30).toFixed(1)} GiB, but one ONNX file holds less than 2 GiB. Prune further, or export with float16 weights.`,
  );
}
