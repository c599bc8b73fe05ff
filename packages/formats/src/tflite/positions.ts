import type {
  GatherAttributes,
  GatherNDAttributes,
  ScatterNDAttributes,
  TopKAttributes,
} from "@espalier/core/graph";
import { countElements, normalizeAxis } from "@espalier/core/graph";
import { movedAxis, tupleLayout } from "../layouts.ts";
import { picked } from "./along-axis.ts";
import { drawing, type Emission, type Part } from "./emission.ts";

/** Operators that find positions, and those that read and write at positions. */

/** LiteRT ranks along the last axis. */
export function topK(call: Emission<TopKAttributes>): readonly Part[] {
  const { file, node, attributes } = call;
  const { axis, k } = attributes;
  const [x] = call.inputs;
  const { transpose } = drawing(call);
  const last = x!.shape.length - 1;
  const turned = transpose(x!, movedAxis(last + 1, axis, last));
  const shape = turned.shape.with(last, k);
  const ranked = file.call(
    "TOPK_V2",
    node.name,
    [turned, file.integers([k], [])],
    [
      { type: "float32", shape },
      { type: "int32", shape },
    ],
  );
  return ranked.map((part) => transpose(part, movedAxis(last + 1, last, axis)));
}

export function gather(call: Emission<GatherAttributes>): Part {
  const [x, indices] = call.inputs;
  const axis = normalizeAxis(call.attributes.axis, x!.shape.length);
  const draw = drawing(call);
  const [output] = call.outputs;
  if (indices!.data === undefined) return draw.one("GATHER", [x, indices], output!, { axis });
  return draw.reshape(picked(call, x!, axis, [...indices!.data]), output!);
}

export function gatherND(call: Emission<GatherNDAttributes>): Part {
  const [x, indices] = call.inputs;
  const { one, reshape } = drawing(call);
  const { batchDims } = call.attributes;
  if (batchDims === 0) return one("GATHER_ND", [x, indices], call.outputs[0]!);
  const layout = tupleLayout(x!.shape, indices!.shape, { batchDims });
  const data = reshape(x!, layout.data as readonly number[]);
  const found = one("GATHER_ND", [data, leading(call, indices!)], layout.picked as readonly number[]);
  return reshape(found, call.outputs[0]!);
}

/** LiteRT only scatters into zeros, and sums what meets there. */
export function scatterND(call: Emission<ScatterNDAttributes>): Part {
  const [x, indices, updates] = call.inputs;
  const { one, reshape, binary } = drawing(call);
  const { batchDims, reduction } = call.attributes;
  const layout = tupleLayout(x!.shape, indices!.shape, { batchDims });
  const open = batchDims === 0;
  const shape = open ? x!.shape : (layout.data as readonly number[]);
  const tuples = open ? indices! : leading(call, indices!);
  const given = open ? updates! : reshape(updates!, layout.picked as readonly number[]);
  const scatter = (values: Part) =>
    one("SCATTER_ND", [tuples, values, call.file.integers(shape)], shape, {}, values.type);
  const data = reshape(x!, shape);
  const sums = scatter(given);
  if (reduction === "add") return reshape(binary("ADD", data, sums), x!.shape);
  const ones = call.file.shared(`ones ${given.shape.join("x")}`, {
    dtype: "float32",
    shape: given.shape,
    data: new Float32Array(countElements(given.shape)).fill(1),
  });
  const untouched = one("EQUAL", [scatter(ones), call.file.scalar(0)], shape, {}, "bool");
  return reshape(one("SELECT_V2", [untouched, data, sums], shape, {}, data.type), x!.shape);
}

/** Index tuples with their position along the leading axis in front: there are no batch axes here. */
function leading(call: Emission<GatherNDAttributes>, indices: Part): Part {
  const { concat, reshape } = drawing(call);
  const { lead, indices: tuples } = tupleLayout(call.inputs[0]!.shape, indices.shape, call.attributes);
  const [count, each] = [lead as number, tuples[1] as number];
  const positions = call.file.integers(
    Array.from({ length: count * each }, (_, i) => Math.floor(i / each)),
    [count, each, 1],
  );
  return concat([positions, reshape(indices, tuples as readonly number[])], 2);
}
