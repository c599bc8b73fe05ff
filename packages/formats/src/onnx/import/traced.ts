import { type GraphProto, TensorProto_DataType as Type } from "onnx-buf";
import { plainNumbers } from "./known.ts";
import { readTensor } from "./tensor-data.ts";

/** Maximum number of lengths that are tried as a batch. */
const maxLengths = 4;

/** Lengths that the constant shapes of a file begin with, the most frequent first. */
export function leadingLengths({ initializer, node }: GraphProto): number[] {
  const constants = new Map(initializer.map((tensor) => [tensor.name, tensor]));
  for (const { opType, output, attribute } of node) {
    const tensor = opType === "Constant" ? attribute.find(({ name }) => name === "value")?.t : undefined;
    if (tensor !== undefined) constants.set(output[0]!, tensor);
  }
  const counts = new Map<number, number>();
  for (const { opType, input } of node) {
    const tensor = opType === "Reshape" || opType === "Expand" ? constants.get(input[1] ?? "") : undefined;
    if (tensor?.dataType !== Type.INT64 || tensor.dims.length !== 1) continue;
    const [first] = plainNumbers(readTensor(tensor));
    if (first !== undefined && first > 0) counts.set(first, (counts.get(first) ?? 0) + 1);
  }
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .slice(0, maxLengths)
    .map(([length]) => length);
}
