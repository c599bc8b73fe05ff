import { EspalierError } from "@espalier/core";
import { Builder, type Offset } from "flatbuffers";
import {
  largestOldNumber,
  type OperatorName,
  operatorNumbers,
  optionTables,
  type TensorType,
  typeNumbers,
} from "./schema.ts";

/** A tensor of a LiteRT graph. */
export interface FileTensor {
  readonly name: string;
  readonly type: TensorType;
  readonly shape: readonly number[];
  /** Data of a constant. */
  readonly data?: Float32Array | Int32Array;
}

/** A call of an operator; tensors by their number. */
export interface FileOperator {
  readonly name: OperatorName;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly options: Readonly<Record<string, number>>;
}

/** Inputs or outputs: names with the numbers of tensors. */
export type Signature = readonly (readonly [name: string, tensor: number])[];

/** The content of a `.tflite` file. */
export interface FileContent {
  readonly name: string;
  readonly description: string;
  readonly tensors: readonly FileTensor[];
  readonly operators: readonly FileOperator[];
  readonly inputs: Signature;
  readonly outputs: Signature;
}

/** A field of a table: absent ones and zeros take no space. */
type Field = readonly [kind: "int8" | "int32" | "float32" | "offset", value: number] | undefined;

/** Encodes a `.tflite` file. Throws an EspalierError if it would be larger than the format allows. */
export function encodeFile(content: FileContent): Uint8Array {
  const bytes = content.tensors.reduce((sum, { data }) => sum + (data?.byteLength ?? 0), 0);
  if (bytes > 2 ** 31 - 2 ** 24)
    throw new EspalierError(
      `the tensors take ${(bytes / 2 ** 30).toFixed(1)} GiB, but one LiteRT file holds less than 2 GiB. Prune further.`,
    );
  const builder = new Builder(bytes + 65536);
  const codes = [...new Set(content.operators.map(({ name }) => name))];
  // Buffer 0 is the empty one of everything that is computed.
  const constants = content.tensors.filter(({ data }) => data !== undefined);
  const buffers = [table(builder, []), ...constants.map(({ data }) => buffer(builder, data!))];
  const tensors = content.tensors.map((tensor) =>
    tensorTable(builder, tensor, constants.indexOf(tensor) + 1),
  );
  const operators = content.operators.map((operator) => operatorTable(builder, operator, codes));
  const numbers = (signature: Signature) =>
    integers(
      builder,
      signature.map(([, tensor]) => tensor),
    );
  const graph = table(builder, [
    ["offset", offsets(builder, tensors)],
    ["offset", numbers(content.inputs)],
    ["offset", numbers(content.outputs)],
    ["offset", offsets(builder, operators)],
    ["offset", builder.createString(content.name)],
  ]);
  const named = (signature: Signature) =>
    offsets(
      builder,
      signature.map(([name, tensor]) =>
        table(builder, [
          ["offset", builder.createString(name)],
          ["int32", tensor],
        ]),
      ),
    );
  const signature = table(builder, [
    ["offset", named(content.inputs)],
    ["offset", named(content.outputs)],
    ["offset", builder.createString("serving_default")],
  ]);
  const model = table(builder, [
    ["int32", 3],
    [
      "offset",
      offsets(
        builder,
        codes.map((name) => codeTable(builder, name)),
      ),
    ],
    ["offset", offsets(builder, [graph])],
    ["offset", builder.createString(content.description)],
    ["offset", offsets(builder, buffers)],
    undefined,
    undefined,
    ["offset", offsets(builder, [signature])],
  ]);
  builder.finish(model, "TFL3");
  return builder.asUint8Array();
}

function codeTable(builder: Builder, name: OperatorName): Offset {
  const number = operatorNumbers[name];
  return table(builder, [
    ["int8", Math.min(number, largestOldNumber)],
    undefined,
    ["int32", 1],
    ["int32", number],
  ]);
}

function tensorTable(
  builder: Builder,
  { name, type, shape, data }: FileTensor,
  bufferNumber: number,
): Offset {
  return table(builder, [
    ["offset", integers(builder, shape)],
    ["int8", typeNumbers[type]],
    ["int32", data === undefined ? 0 : bufferNumber],
    ["offset", builder.createString(name)],
    undefined,
    undefined,
    undefined,
    undefined,
    // An empty shape is that of a scalar.
    ["int8", 1],
  ]);
}

function operatorTable(
  builder: Builder,
  { name, inputs, outputs, options }: FileOperator,
  codes: readonly OperatorName[],
): Offset {
  const known = optionTables[name];
  const values =
    known &&
    table(
      builder,
      known.fields.map(([key, kind]) => [kind, options[key] ?? 0]),
    );
  return table(builder, [
    ["int32", codes.indexOf(name)],
    ["offset", integers(builder, inputs)],
    ["offset", integers(builder, outputs)],
    ["int8", known?.union ?? 0],
    values === undefined ? undefined : ["offset", values],
  ]);
}

function buffer(builder: Builder, data: Float32Array | Int32Array): Offset {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  // Readers map constants into memory: they begin at multiples of 16 bytes.
  builder.prep(16, bytes.length);
  return table(builder, [["offset", builder.createByteVector(bytes)]]);
}

function table(builder: Builder, fields: readonly Field[]): Offset {
  builder.startObject(fields.length);
  fields.forEach((field, slot) => {
    if (field === undefined) return;
    const [kind, value] = field;
    if (kind === "int8") builder.addFieldInt8(slot, value, 0);
    else if (kind === "int32") builder.addFieldInt32(slot, value, 0);
    else if (kind === "float32") builder.addFieldFloat32(slot, value, 0);
    else builder.addFieldOffset(slot, value, 0);
  });
  return builder.endObject();
}

function integers(builder: Builder, values: readonly number[]): Offset {
  builder.startVector(4, values.length, 4);
  for (const value of values.toReversed()) builder.addInt32(value);
  return builder.endVector();
}

function offsets(builder: Builder, values: readonly Offset[]): Offset {
  builder.startVector(4, values.length, 4);
  for (const value of values.toReversed()) builder.addOffset(value);
  return builder.endVector();
}
