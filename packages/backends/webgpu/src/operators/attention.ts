import {
  type AxisAttributes,
  countElements,
  type Node,
  normalizeAxis,
  sameShape,
  type ValueId,
} from "@espalier/core";
import { Chain } from "../compile/chain.ts";
import type { Lowering } from "../compile/lowering.ts";
import { type LiveNode, labelOf, type Survey } from "../compile/survey.ts";
import type { Value } from "../compile/value.ts";
import { expandView, type View } from "../compile/view.ts";
import type { Storage } from "../memory/storage.ts";
import { Index, offsetOf, quadOffsetOf } from "../wgsl/index-space.ts";
import { type Writer, writeKernel } from "../wgsl/writer.ts";
import { applyPoint, pointOperators } from "./pointwise.ts";

/** softmax(f(q · k)) · v, where f is element-wise (a scale, a mask), and nothing else reads what lies between. */
export interface AttentionPattern {
  readonly live: LiveNode;
  readonly scores: LiveNode;
  /** Element-wise nodes between product and softmax, in order. */
  readonly between: readonly LiveNode[];
  /** All nodes it takes in but the last product. */
  readonly absorbed: readonly Node[];
}

/** Attention by the product that ends it. */
export function findAttention(survey: Survey): ReadonlyMap<Node, AttentionPattern> {
  const producers = new Map(
    survey.nodes.flatMap((live) => live.node.outputs.map((id) => [id, live] as const)),
  );
  const result = new Map<Node, AttentionPattern>();
  for (const live of survey.nodes) {
    if (live.node.operator.name !== "MatMul") continue;
    const pattern = patternAt(survey, (id) => producers.get(id), live);
    if (pattern !== undefined) result.set(live.node, pattern);
  }
  return result;
}

/** Accumulators of more channels than this do not fit a thread's registers. */
const mostChannels = 128;

function patternAt(
  survey: Survey,
  producer: (id: ValueId) => LiveNode | undefined,
  live: LiveNode,
): AttentionPattern | undefined {
  const { graph } = survey;
  const shapeOf = (id: ValueId) => graph.values[id]!.shape;
  const alone = (id: ValueId) => !survey.leaves(id) && survey.readers(id).length === 1;
  const [weights, v] = live.inputs as [ValueId, ValueId];
  const softmax = producer(weights);
  if (softmax?.node.operator.name !== "Softmax" || !alone(weights) || weights === v) return undefined;
  const shape = shapeOf(weights);
  const { axis } = softmax.node.attributes as unknown as AxisAttributes;
  if (normalizeAxis(axis, shape.length) !== shape.length - 1) return undefined;
  const between: LiveNode[] = [];
  let scores: LiveNode | undefined;
  for (let id = softmax.inputs[0]!; scores === undefined; ) {
    const from = producer(id);
    if (from === undefined || !alone(id)) return undefined;
    if (from.node.operator.name === "MatMul") scores = from;
    else {
      const operator = pointOperators.get(from.node.operator.name);
      if (operator === undefined || operator.readOperand !== undefined || operator.cost > 4) return undefined;
      const onward = from.inputs.filter(
        (input) => sameShape(shapeOf(input), shape) && leadsToProduct(producer, input),
      );
      if (onward.length !== 1) return undefined;
      between.unshift(from);
      id = onward[0]!;
    }
  }
  const [q, k] = scores.inputs as [ValueId, ValueId];
  const channels = [shapeOf(q).at(-1), shapeOf(v).at(-1)];
  const keys = shape.at(-1);
  if (typeof keys !== "number" || !sameShape(shapeOf(scores.node.outputs[0]!), shape)) return undefined;
  if (!channels.every((n) => typeof n === "number" && n > 0 && n <= mostChannels)) return undefined;
  if ([q, k, v].some((id) => shapeOf(id).length < 2)) return undefined;
  const absorbed = [scores, ...between, softmax].map(({ node }) => node);
  return { live, scores, between, absorbed };
}

function leadsToProduct(producer: (id: ValueId) => LiveNode | undefined, id: ValueId): boolean {
  const name = producer(id)?.node.operator.name;
  return (
    name === "MatMul" ||
    name === "Scale" ||
    name === "Add" ||
    name === "Mul" ||
    name === "Sub" ||
    name === "Div"
  );
}

const range = (n: number) => Array.from({ length: n }, (_, i) => i);

/**
 * One kernel, one pass over the keys: each thread has a few queries of one head and keeps their running maximum, sum and
 * result (Milakov and Gimelshein, 2018; Rabe and Staats, 2021). Scores are never stored.
 */
export function lowerAttention(lowering: Lowering, pattern: AttentionPattern): void {
  const { live, scores, between } = pattern;
  const { node } = live;
  const [output] = node.outputs as [ValueId];
  const shape = lowering.shapeOf(output);
  const lead = shape.slice(0, -2);
  const values = [scores.inputs[0]!, scores.inputs[1]!, live.inputs[1]!].map((id) => lowering.value(id));
  const fixed = lowering.survey.isFixed(output);
  lowering.settle(values, fixed);
  const [q, k, v] = values.map((value) => {
    const view = lowering.memory(value, true);
    return expandView(view, [...lead, ...view.shape.slice(-2)]);
  }) as [View, View, View];
  const others = between.map((step) => operandsOf(lowering, step, fixed));
  const storages = new Set<Storage>([q.storage, k.storage, v.storage]);
  for (const operand of others.flat()) operand?.collectStorages(storages);
  const chain = Chain.behind(lowering, node, output, { storages, half: true });
  const kernel = writeKernel(labelOf(node), lowering.settings.limits, (writer) =>
    writeAttention(writer, lowering, { q, k, v, lead, shape, chain }, (index, score) =>
      between.reduce((current, step, i) => {
        const operator = pointOperators.get(step.node.operator.name)!;
        const { batchSize } = lowering;
        const call = { writer, index, width: 1 as const, batchSize, attributes: step.node.attributes };
        const next = applyPoint(operator, call, others[i] as Value[], (o) =>
          others[i]![o] === undefined ? current : undefined,
        );
        return writer.bind("f32", next);
      }, score),
    ),
  );
  lowering.emit(kernel, fixed);
}

/** Operands of a node between scores and softmax: undefined where the score itself goes. */
function operandsOf(lowering: Lowering, { inputs }: LiveNode, fixed: boolean): (Value | undefined)[] {
  const known = inputs.map((id) => (lowering.isKnown(id) ? lowering.value(id) : undefined));
  lowering.settle(
    known.flatMap((value) => value ?? []),
    fixed,
  );
  return known;
}

interface AttentionShape {
  readonly q: View;
  readonly k: View;
  readonly v: View;
  readonly lead: readonly number[];
  readonly shape: readonly number[];
  readonly chain: Chain;
}

function writeAttention(
  writer: Writer,
  lowering: Lowering,
  { q, k, v, lead, shape, chain }: AttentionShape,
  adjust: (index: Index, score: string) => string,
): readonly [number, number] {
  const registers = lowering.settings.tiling === "registers";
  const rank = shape.length;
  const [queries, channels] = [q.shape.at(-2)!, q.shape.at(-1)!];
  const [keys, valueChannels] = [v.shape.at(-2)!, v.shape.at(-1)!];
  const inFours = (n: number) => (n % 4 === 0 ? 4 : 1);
  const [byQ, byV] = [inFours(channels), inFours(valueChannels)] as const;
  const parts = { q: channels / byQ, v: valueChannels / byV };
  // Loads are what a software adapter spends its time on: several queries share those of keys and values.
  const together = registers
    ? Math.max(1, Math.min(4, queries, Math.floor(64 / Math.max(parts.v, parts.q))))
    : 1;
  const T = (by: number) => (by === 4 ? "vec4f" : "f32");
  writer.workgroup = [registers ? 8 : 64, 1];
  const groups = Math.ceil(queries / together);
  const { id, workgroups } = writer.threads(countElements(lead) * groups);
  const leadAt = Index.flat(writer, lead, writer.bind("u32", `${id} / ${groups}u`));
  const first = writer.bind("u32", `${id} % ${groups}u * ${together}u`);
  const at = (view: View, row: string) =>
    new Index(writer, view.shape, {
      axis: (i) => (i < rank - 2 ? leadAt.axis(i) : i === rank - 2 ? row : "0u"),
      quad: () => "0u",
    });
  lead.forEach((_, i) => {
    leadAt.axis(i);
  });
  /** Channel `c` (or four) of a row; keys lie with their channels along axis −2. */
  const load = (view: View, row: string, c: number, by: 1 | 4) => {
    const index = at(view, row);
    const quad = by === 4 ? quadOffsetOf(view, index) : undefined;
    if (quad !== undefined)
      return writer.bind("vec4f", writer.load(view.storage, c === 0 ? quad : `${quad} + ${c}u`, 4));
    const start = writer.bind("u32", offsetOf(view, index));
    const stride = view.strides[rank - 1]!;
    const one = (channel: number) =>
      writer.load(view.storage, channel * stride === 0 ? start : `${start} + ${channel * stride}u`, 1);
    if (by === 1) return writer.bind("f32", one(c));
    return writer.bind(
      "vec4f",
      `vec4f(${range(4)
        .map((i) => one(4 * c + i))
        .join(", ")})`,
    );
  };
  const perm = range(rank).map((i) => (i === rank - 1 ? rank - 2 : i === rank - 2 ? rank - 1 : i));
  const kRows: View = {
    ...k,
    shape: perm.map((axis) => k.shape[axis]!),
    strides: perm.map((axis) => k.strides[axis]!),
  };
  const rows = range(together).map((i) => writer.bind("u32", `min(${first} + ${i}u, ${queries - 1}u)`));
  const queriesAt = rows.map((row) => range(parts.q).map((c) => load(q, row, c, byQ)));
  for (const i of range(together)) {
    writer.line(`var top${i} = -3.4e38f;`);
    writer.line(`var total${i} = 0f;`);
    for (const c of range(parts.v)) writer.line(`var out${i}_${c} = ${T(byV)}();`);
  }
  const scoreShape = [...lead, queries, keys];
  writer.block(`for (var s = 0u; s < ${keys}u; s++)`, () => {
    const key = range(parts.q).map((c) => load(kRows, "s", c, byQ));
    const raised = range(together).map((i) => {
      const products = key.map((part, c) =>
        byQ === 4 ? `dot(${queriesAt[i]![c]}, ${part})` : `${queriesAt[i]![c]} * ${part}`,
      );
      const index = new Index(writer, scoreShape, {
        axis: (axis) => (axis < rank - 2 ? leadAt.axis(axis) : axis === rank - 2 ? rows[i]! : "s"),
      });
      const score = adjust(index, writer.bind("f32", products.join(" + ")));
      writer.line(`let above${i} = max(top${i}, ${score});`);
      writer.line(`let shrink${i} = exp(top${i} - above${i});`);
      writer.line(`let weight${i} = exp(${score} - above${i});`);
      writer.line(`top${i} = above${i};`);
      writer.line(`total${i} = total${i} * shrink${i} + weight${i};`);
      return i;
    });
    range(parts.v).forEach((c) => {
      const value = load(v, "s", c, byV);
      for (const i of raised)
        writer.line(`out${i}_${c} = out${i}_${c} * shrink${i} + ${value} * weight${i};`);
    });
  });
  for (const i of range(together)) {
    const row = writer.bind("u32", `${first} + ${i}u`);
    writer.block(together === 1 ? "" : `if (${row} < ${queries}u)`, () => {
      for (const c of range(parts.v)) {
        const index = new Index(writer, shape, {
          axis: (axis) => {
            if (axis < rank - 2) return leadAt.axis(axis);
            return axis === rank - 2 ? row : `${c * byV}u`;
          },
          quad: byV === 4 ? () => `${c}u` : undefined,
        });
        chain.write(writer, index, byV, `out${i}_${c} / total${i}`);
      }
    });
  }
  return workgroups;
}
