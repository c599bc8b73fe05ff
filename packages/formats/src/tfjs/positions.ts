import type { GatherNDAttributes, ScatterNDAttributes, TopKAttributes } from "@espalier/core/graph";
import { movedAxis, type TupleLayout, tupleLayout } from "../layouts.ts";
import { type Emission, float, fullShape, int32, join, reshape, transpose } from "./emission.ts";

/** Operators that find positions, and those that read and write at positions. */

/** TensorFlow ranks along the last axis. */
export function topK({
  def,
  node,
  inputs,
  shapes,
  attributes: { axis, k },
}: Emission<TopKAttributes>): readonly string[] {
  const last = shapes[0]!.length - 1;
  const turned =
    axis === last
      ? inputs[0]!
      : transpose(def, `${node.name}/turned`, inputs[0]!, movedAxis(last + 1, axis, last));
  const sorted = { ...float, sorted: { b: true } };
  const values = def.node("TopKV2", `${node.name}/ranked`, [turned, def.integer(k)], sorted);
  const indices = `${values}:1`;
  if (axis === last) return [values, indices];
  const back = movedAxis(last + 1, last, axis);
  return [
    transpose(def, node.name, values, back),
    transpose(def, `${node.name}/indices`, indices, back, "DT_INT32"),
  ];
}

const picking = { Tindices: { type: "DT_INT32" } };

export function gatherND(call: Emission<GatherNDAttributes>): string {
  const { def, node, inputs, shapes, outputs } = call;
  const attributes = { Tparams: { type: "DT_FLOAT" }, ...picking };
  const { batchDims } = call.attributes;
  if (batchDims === 0) return def.node("GatherNd", node.name, inputs, attributes);
  const layout = tupleLayout(shapes[0]!, shapes[1]!, { batchDims });
  const data = reshape(call, `${node.name}/data`, inputs[0]!, layout.data);
  const tuples = leading(call, inputs[1]!, layout);
  const picked = def.node("GatherNd", `${node.name}/picked`, [data, tuples], attributes);
  return reshape(call, node.name, picked, outputs[0]!);
}

export function scatterND(call: Emission<ScatterNDAttributes>): string {
  const { node, inputs, shapes } = call;
  const { batchDims } = call.attributes;
  const [data, indices, updates] = inputs;
  if (batchDims === 0) return scatter(call, node.name, [data!, indices!, updates!], shapes[0]!);
  const layout = tupleLayout(shapes[0]!, shapes[1]!, { batchDims });
  const operands = [
    reshape(call, `${node.name}/data`, data!, layout.data),
    leading(call, indices!, layout),
    reshape(call, `${node.name}/updates`, updates!, layout.picked),
  ] as const;
  return reshape(call, node.name, scatter(call, `${node.name}/scattered`, operands, layout.data), shapes[0]!);
}

function scatter(
  call: Emission<ScatterNDAttributes>,
  name: string,
  [data, indices, updates]: readonly [string, string, string],
  shape: Emission["shapes"][number],
): string {
  const { def } = call;
  if (call.attributes.reduction === "none") {
    return def.node("TensorScatterUpdate", name, [data, indices, updates], { ...float, ...picking });
  }
  const sums = def.node("ScatterNd", `${name}/sums`, [indices, updates, fullShape(call, shape)], {
    ...float,
    ...picking,
  });
  return def.node("AddV2", name, [data, sums], float);
}

/** Index tuples, with their position along the leading axis prepended: TensorFlow.js has no batch axes here. */
function leading(call: Emission, indices: string, layout: TupleLayout): string {
  const { def, node } = call;
  const at = (part: string) => `${node.name}/${part}`;
  const { lead } = layout;
  const count = def.node("Squeeze", at("count"), [fullShape(call, [lead])], int32);
  const range = def.node("Range", at("range"), [def.integer(0), count, def.integer(1)], {
    Tidx: { type: "DT_INT32" },
  });
  const column = reshape(call, at("column"), range, [lead, 1, 1], int32);
  const shape = fullShape(call, [...layout.indices.slice(0, -1), 1]);
  const positions = def.node("BroadcastTo", at("positions"), [column, shape], int32);
  const tuples = reshape(call, at("tuples"), indices, layout.indices, int32);
  return join(def, at("indices"), [positions, tuples], 2, "DT_INT32");
}
