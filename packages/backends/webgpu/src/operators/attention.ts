import { type Attention, attention, type LiveNode, labelOf } from "@espalier/core/compile";
import { countElements } from "@espalier/core/graph";
import { Chain } from "../compile/chain.ts";
import type { Lowering } from "../compile/lowering.ts";
import type { Value } from "../compile/value.ts";
import { expandView, type View } from "../compile/view.ts";
import type { Storage } from "../memory/storage.ts";
import { Index, offsetOf, quadOffsetOf } from "../wgsl/index-space.ts";
import { type Writer, writeKernel } from "../wgsl/writer.ts";
import { applyPoint, pointOperators } from "./pointwise.ts";

/** Accumulators of more channels than this do not fit a thread's registers. */
const maxChannels = 128;

/** Limits of the kernel: cheap operations between product and softmax, and channels that fit registers. */
export const attentionPattern = attention({
  takes({ node }) {
    const operator = pointOperators.get(node.operator.name);
    return operator !== undefined && operator.readOperand === undefined && operator.cost <= 4;
  },
  fits({ q, k, v }, shapeOf) {
    const channels = [shapeOf(q).at(-1), shapeOf(v).at(-1)];
    return (
      channels.every((n) => typeof n === "number" && n > 0 && n <= maxChannels) &&
      typeof shapeOf(k).at(-1) === "number" &&
      [q, k, v].every((id) => shapeOf(id).length >= 2)
    );
  },
});

const range = (n: number) => Array.from({ length: n }, (_, i) => i);

/**
 * One kernel, one pass over the keys: each thread has a few queries of one head and keeps their running maximum, sum and
 * result (Milakov and Gimelshein, 2018; Rabe and Staats, 2021). Scores are never stored.
 */
export function lowerAttention(lowering: Lowering, operation: Attention): void {
  const { node, between, output } = operation;
  const shape = lowering.shapeOf(output);
  const lead = shape.slice(0, -2);
  const values = [operation.q, operation.k, operation.v].map((id) => lowering.value(id));
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

/** Operands of a node between scores and softmax: undefined if the score itself goes. */
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
  const queriesPerThread = registers
    ? Math.max(1, Math.min(4, queries, Math.floor(64 / Math.max(parts.v, parts.q))))
    : 1;
  const T = (by: number) => (by === 4 ? "vec4f" : "f32");
  writer.workgroup = [registers ? 8 : 64, 1];
  const groups = Math.ceil(queries / queriesPerThread);
  const { id, workgroups } = writer.threads(countElements(lead) * groups);
  const leadAt = Index.flat(writer, lead, writer.bind("u32", `${id} / ${groups}u`));
  const first = writer.bind("u32", `${id} % ${groups}u * ${queriesPerThread}u`);
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
  const rows = range(queriesPerThread).map((i) =>
    writer.bind("u32", `min(${first} + ${i}u, ${queries - 1}u)`),
  );
  const queriesAt = rows.map((row) => range(parts.q).map((c) => load(q, row, c, byQ)));
  for (const i of range(queriesPerThread)) {
    writer.line(`var top${i} = -3.4e38f;`);
    writer.line(`var total${i} = 0f;`);
    for (const c of range(parts.v)) writer.line(`var out${i}_${c} = ${T(byV)}();`);
  }
  const scoreShape = [...lead, queries, keys];
  writer.block(`for (var s = 0u; s < ${keys}u; s++)`, () => {
    const key = range(parts.q).map((c) => load(kRows, "s", c, byQ));
    const raised = range(queriesPerThread).map((i) => {
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
  for (const i of range(queriesPerThread)) {
    const row = writer.bind("u32", `${first} + ${i}u`);
    writer.block(queriesPerThread === 1 ? "" : `if (${row} < ${queries}u)`, () => {
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
