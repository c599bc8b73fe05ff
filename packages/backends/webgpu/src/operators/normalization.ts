import { type LiveNode, labelOf } from "@espalier/core/compile";
import { normalizeAxis, type ValueId } from "@espalier/core/graph";
import { Chain } from "../compile/chain.ts";
import type { Lowering } from "../compile/lowering.ts";
import { read, readRepeated, readView, type Value, writeView } from "../compile/value.ts";
import type { View } from "../compile/view.ts";
import type { Storage } from "../memory/storage.ts";
import { literal } from "../wgsl/functions.ts";
import { Index } from "../wgsl/index-space.ts";
import { Lanes } from "../wgsl/lanes.ts";
import { type Writer, writeKernel } from "../wgsl/writer.ts";
import type { Anchors } from "./anchor.ts";
import { readChannel } from "./pointwise.ts";

/** Sums, softmax and normalisations: kernels that run along lanes, one kernel each but for some gradients. */
export const normalization: Anchors = {
  ReduceSum(lowering, live) {
    const { node, inputs } = live;
    const [x] = operandsOf(lowering, live, 1);
    const rank = x!.shape.length;
    const { axes } = node.attributes;
    const reduced = [...new Set(axes.map((axis) => normalizeAxis(axis, rank)))].sort((a, b) => a - b);
    const grows = reduced.some((axis) => lowering.growsWithBatch(inputs[0]!, axis));
    const [output] = node.outputs as [ValueId];
    const chain = Chain.behind(lowering, node, output, { storages: storagesOf([x!]) });
    laneKernel(lowering, live, { shape: x!.shape, axes: reduced, grows }, (writer, lanes) => {
      const total = sumOf(lanes, writer, (index) => read(x!, writer, index, lanes.width));
      lanes.once(lowering.shapeOf(output), (index, width) => chain.write(writer, index, width, total));
    });
  },

  Softmax(lowering, live) {
    const [x] = operandsOf(lowering, live, 1, "several");
    const [output] = live.node.outputs as [ValueId];
    const axis = normalizeAxis(live.node.attributes.axis, x!.shape.length);
    const chain = Chain.behind(lowering, live.node, output, { storages: storagesOf([x!]), half: true });
    laneKernel(lowering, live, { shape: x!.shape, axes: [axis] }, (writer, lanes) => {
      const { width } = lanes;
      lanes.gather("top", "-3.4e38f");
      lanes.each((index) => writer.line(`top = max(top, ${read(x!, writer, index, width)});`));
      const top = lanes.combine("max", "top");
      const total = sumOf(lanes, writer, (index) => `exp(${read(x!, writer, index, width)} - ${top})`);
      const share = writer.bind(lanes.laneType, `1f / ${total}`);
      lanes.each((index) => {
        chain.write(writer, index, width, `exp(${read(x!, writer, index, width)} - ${top}) * ${share}`);
      });
    });
  },

  SoftmaxGradient(lowering, live) {
    const [y, dy] = operandsOf(lowering, live, 2, "several");
    const [output] = live.node.outputs as [ValueId];
    const axis = normalizeAxis(live.node.attributes.axis, y!.shape.length);
    const chain = Chain.behind(lowering, live.node, output, { storages: storagesOf([y!, dy!]), half: true });
    laneKernel(lowering, live, { shape: y!.shape, axes: [axis] }, (writer, lanes) => {
      const at = (value: Value, index: Index) => read(value, writer, index, lanes.width);
      const dot = sumOf(lanes, writer, (index) => `${at(y!, index)} * ${at(dy!, index)}`);
      lanes.each((index) => {
        chain.write(writer, index, lanes.width, `${at(y!, index)} * (${at(dy!, index)} - ${dot})`);
      });
    });
  },

  LayerNormalization(lowering, live) {
    const [x, scale, bias] = operandsOf(lowering, live, 3, "several");
    const [output] = live.node.outputs as [ValueId];
    const { epsilon } = live.node.attributes;
    const chain = Chain.behind(lowering, live.node, output, {
      storages: storagesOf([x!, scale!, bias!]),
      half: true,
    });
    const axes = [x!.shape.length - 1];
    laneKernel(lowering, live, { shape: x!.shape, axes }, (writer, lanes) => {
      const { width } = lanes;
      const { mean, inverse } = moments(lanes, writer, x!, epsilon);
      lanes.each((index) => {
        const normalized = `(${read(x!, writer, index, width)} - ${mean}) * ${inverse}`;
        const [factor, shift] = [scale!, bias!].map((v) => readRepeated(v, writer, index, width));
        chain.write(writer, index, width, `${normalized} * ${factor} + ${shift}`);
      });
    });
  },

  /** Two kernels: along rows for dx and the rows' moments, along columns for the gradients of scale and bias. */
  LayerNormalizationGradient(lowering, live) {
    const [x, scale, dy] = operandsOf(lowering, live, 3, "several");
    const [dx, dscale, dbias] = live.node.outputs as [ValueId, ValueId, ValueId];
    const { epsilon } = live.node.attributes;
    const { shape } = x!;
    const width = shape.at(-1)!;
    const rows = shape.slice(0, -1);
    const fixed = lowering.survey.isFixed(dx);
    const [means, inverses] = [0, 1].map(() => lowering.allocate(labelOf(live.node), rows, "f32", fixed)) as [
      View,
      View,
    ];
    const own = storagesOf([x!, scale!, dy!]);
    const chain = Chain.behind(lowering, live.node, dx, { storages: own, others: 2, half: true });
    laneKernel(lowering, live, { shape, axes: [shape.length - 1] }, (writer, lanes) => {
      const { mean, inverse } = moments(lanes, writer, x!, epsilon);
      lanes.once(rows, (index, lanesAtOnce) => {
        writeView(writer, means, index, lanesAtOnce, mean);
        writeView(writer, inverses, index, lanesAtOnce, inverse);
      });
      const slope = (index: Index) => {
        const d = readRepeated(dy!, writer, index, lanes.width);
        return writer.bind(lanes.elementType, `${d} * ${readRepeated(scale!, writer, index, lanes.width)}`);
      };
      const normalized = (index: Index) =>
        writer.bind(lanes.elementType, `(${read(x!, writer, index, lanes.width)} - ${mean}) * ${inverse}`);
      lanes.gather("slopes", "0f");
      lanes.gather("products", "0f");
      lanes.each((index) => {
        writer.line(`slopes += ${slope(index)};`);
        writer.line(`products += ${slope(index)} * ${normalized(index)};`);
      });
      const average = (name: string) =>
        writer.bind(lanes.laneType, `${lanes.combine("sum", name)} * ${literal(1 / width)}`);
      const [meanSlope, meanProduct] = [average("slopes"), average("products")];
      lanes.each((index) => {
        const rest = `${slope(index)} - ${meanSlope} - ${normalized(index)} * ${meanProduct}`;
        chain.write(writer, index, lanes.width, `(${rest}) * ${inverse}`);
      });
    });
    const scaleChain = Chain.behind(lowering, live.node, dscale, { storages: own, others: 4 });
    const biasChain = Chain.behind(lowering, live.node, dbias, { storages: own, others: 4 });
    const axes = rows.map((_, axis) => axis);
    laneKernel(lowering, live, { shape, axes, grows: true }, (writer, lanes) => {
      lanes.gather("dscale", "0f");
      lanes.gather("dbias", "0f");
      lanes.each((index) => {
        const row = new Index(writer, rows, { axis: (axis) => index.axis(axis) });
        const [mean, inverse] = [means, inverses].map((view) => readView(view, writer, row, 1));
        const d = read(dy!, writer, index, lanes.width);
        writer.line(`dbias += ${d};`);
        writer.line(`dscale += ${d} * (${read(x!, writer, index, lanes.width)} - ${mean}) * ${inverse};`);
      });
      const sums = [lanes.combine("sum", "dscale"), lanes.combine("sum", "dbias")];
      lanes.once([width], (index, lanesAtOnce) => {
        scaleChain.write(writer, index, lanesAtOnce, sums[0]!);
        biasChain.write(writer, index, lanesAtOnce, sums[1]!);
      });
    });
  },

  BatchNormalizationTraining(lowering, live) {
    const [x, scale, bias, mean, variance] = operandsOf(lowering, live, 5, "several");
    const { epsilon, momentum } = live.node.attributes;
    const chains = chainsOf(lowering, live, [x!, scale!, bias!, mean!, variance!]);
    channelKernel(lowering, live, x!, (writer, lanes) => {
      const own = moments(lanes, writer, x!, epsilon, writer.parameter("extent", lanes.extent));
      lanes.each((index) => {
        const normalized = `(${read(x!, writer, index, lanes.width)} - ${own.mean}) * ${own.inverse}`;
        const [factor, shift] = [scale!, bias!].map((v) => readChannel(v, writer, index, lanes.width));
        chains[0]!.write(writer, index, lanes.width, `${normalized} * ${factor} + ${shift}`);
      });
      const unbiased = `${own.variance} * f32(p.extent) / f32(max(2u, p.extent) - 1u)`;
      lanes.once(mean!.shape, (index, width) => {
        [mean!, variance!].forEach((old, i) => {
          const blend = `${read(old, writer, index, width)} * ${literal(1 - momentum)}`;
          const now = i === 0 ? own.mean : unbiased;
          chains[i + 1]!.write(writer, index, width, `${blend} + ${literal(momentum)} * ${now}`);
        });
      });
    });
  },

  BatchNormalizationGradient(lowering, live) {
    const [x, scale, dy] = operandsOf(lowering, live, 3, "several");
    const { epsilon } = live.node.attributes;
    const chains = chainsOf(lowering, live, [x!, scale!, dy!]);
    channelKernel(lowering, live, x!, (writer, lanes) => {
      const { width } = lanes;
      const { mean, inverse } = moments(lanes, writer, x!, epsilon, writer.parameter("extent", lanes.extent));
      const normalized = (index: Index) => `(${read(x!, writer, index, width)} - ${mean}) * ${inverse}`;
      lanes.gather("slopes", "0f");
      lanes.gather("products", "0f");
      lanes.each((index) => {
        const d = read(dy!, writer, index, width);
        writer.line(`slopes += ${d};`);
        writer.line(`products += ${d} * ${normalized(index)};`);
      });
      const [dbias, dscale] = [lanes.combine("sum", "slopes"), lanes.combine("sum", "products")];
      lanes.each((index) => {
        const d = read(dy!, writer, index, width);
        const rest = `${d} - (${dbias} + ${normalized(index)} * ${dscale}) / f32(p.extent)`;
        const factor = readChannel(scale!, writer, index, width);
        chains[0]!.write(writer, index, width, `(${rest}) * ${factor} * ${inverse}`);
      });
      lanes.once(scale!.shape, (index, lanesAtOnce) => {
        chains[1]!.write(writer, index, lanesAtOnce, dscale);
        chains[2]!.write(writer, index, lanesAtOnce, dbias);
      });
    });
  },
};

/**
 * Operands as they are read: in expressions where each element is read once; in memory where an element is read several
 * times and is more than a few operations away.
 */
function operandsOf(
  lowering: Lowering,
  { node, inputs }: LiveNode,
  written: number,
  reads: "once" | "several" = "once",
): readonly Value[] {
  const operands = inputs.map((id) => lowering.value(id));
  lowering.settle(operands, lowering.survey.isFixed(node.outputs[0]!));
  if (reads === "several") {
    for (const operand of operands) if (operand.cost > 3) lowering.memory(operand, true);
  }
  lowering.limitStorages(operands, written);
  return operands;
}

function storagesOf(values: readonly Value[]): Set<Storage> {
  const result = new Set<Storage>();
  for (const value of values) value.collectStorages(result);
  return result;
}

/** One chain for each output. */
function chainsOf(lowering: Lowering, { node }: LiveNode, operands: readonly Value[]): readonly Chain[] {
  const others = node.outputs.length - 1;
  return node.outputs.map((output, i) => {
    const storages = storagesOf(operands);
    return Chain.behind(lowering, node, output, { storages, others: others + i });
  });
}

interface LaneShape {
  readonly shape: readonly number[];
  readonly axes: readonly number[];
  readonly grows?: boolean;
}

function laneKernel(
  lowering: Lowering,
  { node }: LiveNode,
  about: LaneShape,
  body: (writer: Writer, lanes: Lanes) => void,
): void {
  const { limits, tiling } = lowering.settings;
  const kernel = writeKernel(labelOf(node), limits, (writer) => {
    const lanes = new Lanes(writer, { ...about, tiling });
    body(writer, lanes);
    return lanes.workgroups;
  });
  lowering.emit(kernel, lowering.survey.isFixed(node.outputs[0]!));
}

/** Lanes that are channels: all axes but axis 1. */
function channelKernel(
  lowering: Lowering,
  live: LiveNode,
  x: Value,
  body: (writer: Writer, lanes: Lanes) => void,
): void {
  const axes = x.shape.flatMap((_, axis) => (axis === 1 ? [] : [axis]));
  laneKernel(lowering, live, { shape: x.shape, axes, grows: true }, body);
}

/** Sum over each lane of what an expression gives at every position. */
function sumOf(lanes: Lanes, writer: Writer, term: (index: Index) => string): string {
  const name = writer.fresh("total");
  lanes.gather(name, "0f");
  lanes.each((index) => writer.line(`${name} += ${term(index)};`));
  return lanes.combine("sum", name);
}

/** Mean, variance and 1 ÷ √(variance + ε) of each lane. `count` is WGSL of its length, where that grows with the batch. */
function moments(lanes: Lanes, writer: Writer, x: Value, epsilon: number, count?: string) {
  const divisor = count === undefined ? literal(lanes.extent) : `f32(${count})`;
  const mean = writer.bind(
    lanes.laneType,
    `${sumOf(lanes, writer, (index) => read(x, writer, index, lanes.width))} / ${divisor}`,
  );
  const squares = sumOf(lanes, writer, (index) => {
    const centred = writer.bind(lanes.elementType, `${read(x, writer, index, lanes.width)} - ${mean}`);
    return `${centred} * ${centred}`;
  });
  const variance = writer.bind(lanes.laneType, `${squares} / ${divisor}`);
  const inverse = writer.bind(lanes.laneType, `1f / sqrt(${variance} + ${literal(epsilon)})`);
  return { mean, variance, inverse };
}
