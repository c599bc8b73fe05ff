import type { Attributes, AttributesNamed, OperatorName } from "@espalier/core/graph";
import {
  type Expression,
  fours,
  read,
  readMoved,
  readRepeated,
  typeOf,
  type Value,
} from "../compile/value.ts";
import { expandView, reshapeView, sliceView, transposeView, type View } from "../compile/view.ts";
import { Index } from "../wgsl/index-space.ts";
import type { Width, Writer } from "../wgsl/writer.ts";

/** An operator that only moves elements: a view of its operand where strides can say so, else an index into it. */
export type Move<A extends Attributes = Attributes> = (
  inputs: readonly Value[],
  attributes: A,
  shape: readonly number[],
) => Omit<Expression, "operands" | "cost"> & { readonly cost: number };

const moved = (
  cost: number,
  x: Value,
  map: (index: Index) => Index,
  view?: (view: View) => View | undefined,
): ReturnType<Move> => ({
  cost,
  write: (writer, index, width) => readMoved(x, writer, index, width, map),
  ...(view === undefined ? {} : { view: () => x.view && view(x.view) }),
});

const byName: { readonly [N in OperatorName]?: Move<AttributesNamed<N>> } = {
  Transpose([x], attributes) {
    const { perm } = attributes;
    return moved(
      0,
      x!,
      (index) => index.transposed(perm),
      (view) => transposeView(view, perm),
    );
  },
  Reshape([x], _attributes, shape) {
    return moved(
      1,
      x!,
      (index) => index.reshaped(x!.shape),
      (view) => reshapeView(view, shape),
    );
  },
  Expand([x], _attributes, shape) {
    return {
      cost: 0,
      write: (writer, index, width) => readRepeated(x!, writer, index, width),
      view: () => x!.view && expandView(x!.view, shape),
    };
  },
  Slice([x], attributes) {
    const { axis, start, end } = attributes;
    const extent = x!.shape[axis]!;
    return moved(
      0,
      x!,
      (index) => {
        const at = `${index.axis(axis)} + ${start}u`;
        const aligned = axis === x!.shape.length - 1 && start % 4 === 0 && extent % 4 === 0;
        const quad = aligned && index.isRun ? `${index.quad} + ${start / 4}u` : undefined;
        return index.with(axis, extent, at, quad);
      },
      (view) => sliceView(view, axis, start, end),
    );
  },
  Gather([x, indices], attributes) {
    const { axis } = attributes;
    const rank = indices!.shape.length;
    const last = x!.shape.length - 1;
    return {
      cost: 2,
      write: (writer, index, width) =>
        readMoved(x!, writer, index, width, (at) => {
          const position = new Index(writer, indices!.shape, { axis: (i) => at.axis(axis + i) });
          const from = writer.bind("u32", `u32(${read(indices!, writer, position, 1)})`);
          return new Index(writer, x!.shape, {
            axis: (i) => (i === axis ? from : at.axis(i < axis ? i : i - 1 + rank)),
            quad: axis !== last && at.isRun ? () => at.quad! : undefined,
          });
        }),
    };
  },
  GatherND([x, indices], attributes) {
    const { batchDims } = attributes;
    const rank = indices!.shape.length;
    const size = indices!.shape[rank - 1]!;
    const last = x!.shape.length - 1;
    return {
      cost: 3,
      write: (writer, index, width) =>
        readMoved(x!, writer, index, width, (at) => {
          const picked = Array.from({ length: size }, (_, part) => {
            const position = new Index(writer, indices!.shape, {
              axis: (i) => (i === rank - 1 ? `${part}u` : at.axis(i)),
            });
            return writer.bind("u32", `u32(${read(indices!, writer, position, 1)})`);
          });
          return new Index(writer, x!.shape, {
            axis(i) {
              if (i < batchDims) return at.axis(i);
              return picked[i - batchDims] ?? at.axis(rank - 1 + i - batchDims - size);
            },
            quad: last >= batchDims + size && at.isRun ? () => at.quad! : undefined,
          });
        }),
    };
  },
  Pad([x], attributes, shape) {
    const { axis, before, mode } = attributes;
    const extent = x!.shape[axis]!;
    const source = (at: string) => {
      const relative = `i32(${at}) - ${before}`;
      if (mode === "edge") return `u32(clamp(${relative}, 0, ${extent - 1}))`;
      return `u32(${relative} + ${extent}) % ${extent}u`;
    };
    const along = axis === shape.length - 1;
    const element = (writer: Writer, index: Index, width: Width): string => {
      const at = writer.bind("u32", index.axis(axis));
      if (mode !== "constant") {
        const from = writer.bind("u32", source(at));
        return read(x!, writer, index.with(axis, extent, from), width);
      }
      const type = typeOf(x!.type, width);
      const result = writer.fresh("v");
      writer.line(`var ${result} = ${type}();`);
      writer.block(`if (${at} >= ${before}u && ${at} < ${before + extent}u)`, () => {
        const from = writer.bind("u32", `${at} - ${before}u`);
        writer.line(`${result} = ${read(x!, writer, index.with(axis, extent, from), width)};`);
      });
      return result;
    };
    return { cost: 2, write: alongOrAcross(x!, along, element) };
  },
  Concat(parts, attributes, shape) {
    const { axis } = attributes;
    const element = (writer: Writer, index: Index, width: Width): string => {
      const at = writer.bind("u32", index.axis(axis));
      const result = writer.fresh("v");
      writer.line(`var ${result}: ${typeOf(parts[0]!.type, width)};`);
      let start = 0;
      parts.forEach((part, i) => {
        const extent = part.shape[axis]!;
        const from = start;
        start += extent;
        const last = i === parts.length - 1;
        writer.block(last ? "" : `if (${at} < ${start}u)`, () => {
          const own = writer.bind("u32", `${at} - ${from}u`);
          writer.line(`${result} = ${read(part, writer, index.with(axis, extent, own), width)};`);
        });
        if (!last) writer.line("else {");
      });
      writer.line("}".repeat(parts.length - 1));
      return result;
    };
    return { cost: 2, write: alongOrAcross(parts[0]!, axis === shape.length - 1, element) };
  },
};

export const moves = new Map(Object.entries(byName)) as ReadonlyMap<string, Move>;

/** Moves along the last axis are made element by element. */
function alongOrAcross(
  { type }: Value,
  along: boolean,
  element: (writer: Writer, index: Index, width: Width) => string,
): Expression["write"] {
  return (writer, index, width) => {
    if (width === 1 || (!along && index.isRun)) return element(writer, index, width);
    return fours(type, (i) => element(writer, index.shift(i), 1));
  };
}
