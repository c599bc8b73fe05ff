import { type LiveNode, labelOf } from "@espalier/core/compile";
import type { PoolAttributes, ValueId } from "@espalier/core/graph";
import type { Lowering } from "../compile/lowering.ts";
import { accumulate, read, writeView } from "../compile/value.ts";
import type { Index } from "../wgsl/index-space.ts";
import type { Writer } from "../wgsl/writer.ts";
import type { Anchors } from "./anchor.ts";
import { elementKernel, lanesAlong, operandsInMemory, threadKernel } from "./element-kernel.ts";

/** Pooling, and sums up to each position. */
export const windows: Anchors = {
  AveragePool: (lowering, live) =>
    overWindow(lowering, live, "0f", (total, value) => `${total} + ${value}`, true),
  MaxPool: (lowering, live) =>
    overWindow(lowering, live, "-3.4e38f", (top, value) => `max(${top}, ${value})`, false),

  /** One thread for each element of dx: it adds up the shares of all windows that cover it. */
  AveragePoolGradient(lowering, live) {
    const operands = operandsInMemory(lowering, live);
    const [dy] = operands;
    const attributes = live.node.attributes;
    const { axis, kernel, stride, before, extent } = attributes;
    const count = dy!.shape[axis]!;
    elementKernel(lowering, live, operands, (writer, index) => {
      const at = writer.bind("i32", `i32(${index.axis(axis)})`);
      // The first window that reaches as far, and the last one that has begun.
      const first = writer.bind("i32", `max(0, ${at} + ${before - kernel + stride}) / ${stride}`);
      const last = writer.bind("i32", `min(${count - 1}, (${at} + ${before}) / ${stride})`);
      const total = writer.fresh("total");
      writer.line(`var ${total} = 0f;`);
      writer.block(`for (var w = ${first}; w <= ${last}; w++)`, () => {
        const { start, end } = bounds(writer, attributes, extent, "w");
        writer.block(`if (${at} >= ${start} && ${at} < ${end})`, () => {
          const share = read(dy!, writer, index.with(axis, count, writer.bind("u32", "u32(w)")), 1);
          writer.line(`${total} += ${share} / f32(${end} - ${start});`);
        });
      });
      return total;
    });
  },

  /** One thread a lane: zeros, then each window gives its slope to its first largest number. */
  MaxPoolGradient(lowering, live) {
    const [dy, x] = operandsInMemory(lowering, live);
    const attributes = live.node.attributes;
    const { axis } = attributes;
    const [output] = live.node.outputs as [ValueId];
    const out = lowering.allocate(labelOf(live.node), x!.shape, "f32", lowering.survey.isFixed(output));
    const [inputs, slopes] = [lanesAlong(x!.shape, axis), lanesAlong(dy!.shape, axis)];
    threadKernel(lowering, live, inputs.count, (writer, id) => {
      writer.block(`for (var e = 0u; e < ${inputs.extent}u; e++)`, () => {
        writeView(writer, out, inputs.index(writer, id, "e"), 1, "0f");
      });
      writer.block(`for (var w = 0; w < ${slopes.extent}; w++)`, () => {
        const { start, end } = bounds(writer, attributes, inputs.extent, "w");
        writer.line(`var best = u32(${start});`);
        writer.line(`var top = ${read(x!, writer, inputs.index(writer, id, "best"), 1)};`);
        writer.block(`for (var e = u32(${start}) + 1u; e < u32(${end}); e++)`, () => {
          const value = read(x!, writer, inputs.index(writer, id, "e"), 1);
          writer.line(`if (${value} > top) { top = ${value}; best = e; }`);
        });
        const slope = read(dy!, writer, slopes.index(writer, id, writer.bind("u32", "u32(w)")), 1);
        // A name of its own: what was computed from `best` before it changed must not be taken for this.
        writer.line("let chosen = best;");
        accumulate(writer, out, inputs.index(writer, id, "chosen"), slope);
      });
    });
    lowering.defineStored(output, labelOf(live.node), out);
  },

  /** One thread a lane. */
  CumSum(lowering, live) {
    const [x] = operandsInMemory(lowering, live);
    const { axis, exclusive, reverse } = live.node.attributes;
    const [output] = live.node.outputs as [ValueId];
    const out = lowering.allocate(labelOf(live.node), x!.shape, "f32", lowering.survey.isFixed(output));
    const walk = lanesAlong(x!.shape, axis);
    threadKernel(lowering, live, walk.count, (writer, id) => {
      writer.line("var total = 0f;");
      writer.block(`for (var e = 0u; e < ${walk.extent}u; e++)`, () => {
        const index = walk.index(writer, id, writer.bind("u32", reverse ? `${walk.extent - 1}u - e` : "e"));
        const value = read(x!, writer, index, 1);
        if (!exclusive) writer.line(`total += ${value};`);
        writeView(writer, out, index, 1, "total");
        if (exclusive) writer.line(`total += ${value};`);
      });
    });
    lowering.defineStored(output, labelOf(live.node), out);
  },
};

/** First position of window `w`, and the one behind its last, as WGSL of i32. */
function bounds(writer: Writer, { kernel, stride, before }: PoolAttributes, extent: number, w: string) {
  const first = writer.bind("i32", `${w} * ${stride} - ${before}`);
  return {
    start: writer.bind("i32", `max(0, ${first})`),
    end: writer.bind("i32", `min(${extent}, ${first} + ${kernel})`),
  };
}

/** One thread for each window. */
function overWindow(
  lowering: Lowering,
  live: LiveNode<PoolAttributes>,
  start: string,
  combine: (total: string, value: string) => string,
  mean: boolean,
): void {
  const operands = operandsInMemory(lowering, live);
  const [x] = operands;
  const attributes = live.node.attributes;
  const { axis } = attributes;
  const extent = x!.shape[axis]!;
  elementKernel(lowering, live, operands, (writer, index: Index) => {
    const { start: first, end } = bounds(writer, attributes, extent, `i32(${index.axis(axis)})`);
    const total = writer.fresh("total");
    writer.line(`var ${total} = ${start};`);
    writer.block(`for (var e = u32(${first}); e < u32(${end}); e++)`, () => {
      writer.line(`${total} = ${combine(total, read(x!, writer, index.with(axis, extent, "e"), 1))};`);
    });
    return mean ? `${total} / f32(${end} - ${first})` : total;
  });
}
