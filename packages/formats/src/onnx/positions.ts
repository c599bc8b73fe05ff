import type { GatherNDAttributes, ScatterNDAttributes, TopKAttributes } from "@espalier/core/graph";
import { TensorProto_DataType as ElementType } from "onnx-buf";
import { type TupleLayout, tupleLayout } from "../layouts.ts";
import { type NodeCall, reshaped, type Writing } from "./node-call.ts";
import { int, text } from "./proto.ts";

/** Operators that find positions, and those that read and write at positions. ONNX uses int64 for them, core int32. */

export function topK({ writer, name, inputs, outputs, attributes }: NodeCall<TopKAttributes>): void {
  const { axis, k } = attributes;
  const [values, indices] = outputs;
  const positions = writer.fresh(`${name}/positions`);
  const node = { axis: int(axis), largest: int(1), sorted: int(1) };
  writer.nodeWith(name, "TopK", [inputs[0]!, writer.integers([k])], node, [values!, positions]);
  writer.node(`${name}/Cast`, "Cast", [positions], { to: int(ElementType.INT32) }, indices);
}

function int64({ writer, name }: Writing, x: string): string {
  return writer.node(`${name}/Cast`, "Cast", [x], { to: int(ElementType.INT64) });
}

export function gatherND(call: NodeCall<GatherNDAttributes>): void {
  const [data, indices] = call.inputs;
  call.emit("GatherND", [data!, int64(call, indices!)], { batch_dims: int(call.attributes.batchDims) });
}

/** ONNX's ScatterND has no batch axes. */
export function scatterND(call: NodeCall<ScatterNDAttributes>): void {
  const { writer, name, inputs, shapes, attributes, emit } = call;
  const reduction = attributes.reduction === "add" ? { reduction: text("add") } : {};
  const [data, indices, updates] = inputs;
  if (attributes.batchDims === 0) {
    emit("ScatterND", [data!, int64(call, indices!), updates!], reduction);
    return;
  }
  const layout = tupleLayout(shapes[0]!, shapes[1]!, attributes);
  const operands = [
    reshaped(call, data!, layout.data),
    leading(call, reshaped(call, int64(call, indices!), layout.indices), layout),
    reshaped(call, updates!, layout.picked),
  ];
  const scattered = writer.node(`${name}/ScatterND`, "ScatterND", operands, reduction);
  emit("Reshape", [scattered, writer.openShape(shapes[0]!)]);
}

/** Index tuples, with their position along the leading axis prepended. */
function leading(call: Writing, tuples: string, { lead, indices }: TupleLayout): string {
  const { writer, name } = call;
  const count = writer.node(`${name}/Squeeze`, "Squeeze", [writer.extents([lead])]);
  const range = writer.node(`${name}/Range`, "Range", [writer.integer(0), count, writer.integer(1)]);
  const column = reshaped(call, range, [lead, 1, 1]);
  // Expand broadcasts both ways: 1 if the column already has its length.
  const shape = writer.extents([1, indices[1]!, 1]);
  const positions = writer.node(`${name}/Expand`, "Expand", [column, shape]);
  return writer.node(`${name}/Concat`, "Concat", [positions, tuples], { axis: int(-1) });
}
