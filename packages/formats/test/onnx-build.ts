import { create, toBinary } from "@bufbuild/protobuf";
import { float32 } from "@espalier/core";
import {
  AttributeProto_AttributeType as AttributeType,
  type FunctionProto,
  GraphProtoSchema,
  ModelProtoSchema,
  type NodeProto,
  type TensorProto,
  TensorProto_DataType as Type,
} from "onnx-buf";
import { type AttributeValue, int64Tensor, nodeProto, tensorProto } from "../src/onnx/proto.ts";

/** Small ONNX files, built node by node. */

/** An axis: a length, or the name of an open one. */
type Axis = number | string;

export interface FileParts {
  readonly inputs?: Readonly<Record<string, readonly Axis[]>>;
  /** Element types of inputs that are not float. */
  readonly types?: Readonly<Record<string, Type>>;
  readonly outputs?: readonly string[];
  readonly nodes: readonly NodeProto[];
  readonly initializers?: readonly TensorProto[];
  readonly functions?: readonly FunctionProto[];
  readonly opset?: number;
  readonly domains?: readonly string[];
}

export function graphProto({
  inputs = {},
  types = {},
  outputs = ["y"],
  nodes,
  initializers = [],
}: FileParts) {
  return create(GraphProtoSchema, {
    name: "main_graph",
    node: [...nodes],
    initializer: [...initializers],
    input: Object.entries(inputs).map(([name, axes]) => ({
      name,
      type: {
        value: {
          case: "tensorType" as const,
          value: {
            elemType: types[name] ?? Type.FLOAT,
            shape: {
              dim: axes.map((axis) => ({
                value:
                  typeof axis === "number"
                    ? { case: "dimValue" as const, value: BigInt(axis) }
                    : { case: "dimParam" as const, value: axis },
              })),
            },
          },
        },
      },
    })),
    output: outputs.map((name) => ({
      name,
      type: { value: { case: "tensorType" as const, value: { elemType: Type.FLOAT } } },
    })),
  });
}

export function onnxFile(parts: FileParts): Uint8Array {
  const { functions = [], opset = 17, domains = [] } = parts;
  const model = create(ModelProtoSchema, {
    irVersion: 8n,
    producerName: "test",
    opsetImport: [
      { domain: "", version: BigInt(opset) },
      ...domains.map((domain) => ({ domain, version: 1n })),
    ],
    graph: graphProto(parts),
    functions: [...functions],
  });
  return toBinary(ModelProtoSchema, model);
}

/** A node called after its operator and its output. */
export function node(
  opType: string,
  inputs: readonly string[],
  outputs: string | readonly string[],
  attributes: Readonly<Record<string, AttributeValue>> = {},
  domain = "",
): NodeProto {
  const names = typeof outputs === "string" ? [outputs] : outputs;
  return { ...nodeProto(`${opType}_${names[0]}`, opType, inputs, names, attributes), domain };
}

export const floats = (name: string, shape: readonly number[], data: readonly number[]): TensorProto =>
  tensorProto(name, float32(shape, data));
export const number = (name: string, value: number): TensorProto => floats(name, [], [value]);
export const longs = (name: string, values: readonly number[]): TensorProto => int64Tensor(name, values);
export const long = (name: string, value: number): TensorProto => int64Tensor(name, [value], []);

/** Numbers that are different and neither small nor large. */
export function varied(count: number, seed = 0): number[] {
  return Array.from({ length: count }, (_, i) => Math.sin(1 + 1.7 * i + seed) * (1 + (i % 3) / 4));
}

export const weight = (name: string, ...shape: number[]): TensorProto =>
  floats(
    name,
    shape,
    varied(
      shape.reduce((n, extent) => n * extent, 1),
      name.length,
    ),
  );

export const graphAttribute = (parts: FileParts): AttributeValue => ({
  type: AttributeType.GRAPH,
  g: graphProto(parts),
});
export const tensorAttribute = (tensor: TensorProto): AttributeValue => ({
  type: AttributeType.TENSOR,
  t: tensor,
});
