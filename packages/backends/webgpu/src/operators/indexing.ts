import { labelOf } from "@espalier/core/compile";
import { countElements, type ValueId } from "@espalier/core/graph";
import { accumulate, read, writeView } from "../compile/value.ts";
import { Index } from "../wgsl/index-space.ts";
import type { Anchors } from "./anchor.ts";
import { elementKernel, lanesAlong, operandsInMemory, threadKernel } from "./element-kernel.ts";

/** Operators that put elements where indices say, or find indices: each thread owns what it writes, so no two meet. */
export const indexing: Anchors = {
  /** One thread for each element of dx: it looks through all indices for its own position. */
  GatherGradient(lowering, live) {
    const operands = operandsInMemory(lowering, live);
    const [dy, indices] = operands;
    const { axis } = live.node.attributes;
    const rank = indices!.shape.length;
    elementKernel(lowering, live, operands, (writer, index) => {
      const total = writer.fresh("total");
      writer.line(`var ${total} = 0f;`);
      writer.block(`for (var i = 0u; i < ${countElements(indices!.shape)}u; i++)`, () => {
        const position = Index.flat(writer, indices!.shape, "i");
        writer.block(`if (u32(${read(indices!, writer, position, 1)}) == ${index.axis(axis)})`, () => {
          const from = new Index(writer, dy!.shape, {
            axis: (a) => {
              if (a < axis) return index.axis(a);
              return a < axis + rank ? position.axis(a - axis) : index.axis(a - rank + 1);
            },
          });
          writer.line(`${total} += ${read(dy!, writer, from, 1)};`);
        });
      });
      return total;
    });
  },

  /** One thread for each column of what a tuple points at, in each batch: it copies its column, then goes through the tuples. */
  ScatterND(lowering, live) {
    const [data, indices, updates] = operandsInMemory(lowering, live);
    const { batchDims, reduction } = live.node.attributes;
    const [output] = live.node.outputs as [ValueId];
    const { shape, type } = data!;
    const rank = indices!.shape.length;
    const size = indices!.shape[rank - 1]!;
    const [lead, pointed] = [shape.slice(0, batchDims), shape.slice(batchDims, batchDims + size)];
    const rest = shape.slice(batchDims + size);
    const tuples = indices!.shape.slice(batchDims, -1);
    const fixed = lowering.survey.isFixed(output);
    const out = lowering.allocate(labelOf(live.node), shape, type, fixed);
    threadKernel(lowering, live, countElements(lead) * countElements(rest), (writer, id) => {
      const column = Index.flat(writer, [...lead, ...rest], id);
      const place = (at: (i: number) => string) =>
        new Index(writer, shape, {
          axis(i) {
            if (i < batchDims) return column.axis(i);
            return i < batchDims + size ? at(i - batchDims) : column.axis(i - size);
          },
        });
      writer.block(`for (var i = 0u; i < ${countElements(pointed)}u; i++)`, () => {
        const position = Index.flat(writer, pointed, "i");
        const index = place((a) => position.axis(a));
        writeView(writer, out, index, 1, read(data!, writer, index, 1));
      });
      writer.block(`for (var t = 0u; t < ${countElements(tuples)}u; t++)`, () => {
        const tuple = Index.flat(writer, tuples, "t");
        const before = (i: number) => (i < batchDims ? column.axis(i) : tuple.axis(i - batchDims));
        const picked = pointed.map((_, part) => {
          const at = new Index(writer, indices!.shape, {
            axis: (i) => (i === rank - 1 ? `${part}u` : before(i)),
          });
          return writer.bind("u32", `u32(${read(indices!, writer, at, 1)})`);
        });
        const index = place((a) => picked[a]!);
        const from = new Index(writer, updates!.shape, {
          axis: (i) => (i < rank - 1 ? before(i) : column.axis(i - rank + 1 + batchDims)),
        });
        const value = read(updates!, writer, from, 1);
        if (reduction === "add") accumulate(writer, out, index, value);
        else writeView(writer, out, index, 1, value);
      });
    });
    lowering.defineStored(output, labelOf(live.node), out);
  },

  /** One thread a lane: the largest number that is not above the last one, k times. Equal numbers go by position. */
  TopK(lowering, live) {
    const [x] = operandsInMemory(lowering, live);
    const { axis, k } = live.node.attributes;
    const walk = lanesAlong(x!.shape, axis);
    const shape = x!.shape.with(axis, k);
    const fixed = lowering.survey.isFixed(live.node.outputs[0]!);
    const [values, indices] = (["f32", "i32"] as const).map((type) =>
      lowering.allocate(labelOf(live.node), shape, type, fixed),
    );
    const results = lanesAlong(shape, axis);
    threadKernel(lowering, live, walk.count, (writer, id) => {
      writer.line("var last = 0f;");
      writer.line("var lastAt = 0u;");
      writer.block(`for (var rank = 0u; rank < ${k}u; rank++)`, () => {
        writer.line("var best = 0f;");
        writer.line(`var bestAt = ${walk.extent}u;`);
        writer.block(`for (var e = 0u; e < ${walk.extent}u; e++)`, () => {
          const value = read(x!, writer, walk.index(writer, id, "e"), 1);
          const left = `rank == 0u || ${value} < last || (${value} == last && e > lastAt)`;
          writer.block(`if ((${left}) && (bestAt == ${walk.extent}u || ${value} > best))`, () => {
            writer.line(`best = ${value};`);
            writer.line("bestAt = e;");
          });
        });
        const to = results.index(writer, id, "rank");
        writeView(writer, values!, to, 1, "best");
        writeView(writer, indices!, to, 1, "i32(bestAt)");
        writer.line("last = best;");
        writer.line("lastAt = bestAt;");
      });
    });
    live.node.outputs.forEach((output, i) => {
      lowering.defineStored(output, labelOf(live.node), [values!, indices!][i]!);
    });
  },
};
