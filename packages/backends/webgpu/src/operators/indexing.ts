import { countElements, type GatherGradientAttributes, type ValueId } from "@espalier/core";
import { Chain } from "../compile/chain.ts";
import { labelOf } from "../compile/survey.ts";
import { read } from "../compile/value.ts";
import type { Storage } from "../memory/storage.ts";
import { Index } from "../wgsl/index-space.ts";
import { writeKernel } from "../wgsl/writer.ts";
import type { Anchor } from "./anchors.ts";

/** Operators that put elements where indices say: each thread owns what it writes, so that no two meet. */
export const indexing: Readonly<Record<string, Anchor>> = {
  /** One thread for each element of dx: it looks through all indices for its own position. */
  GatherGradient(lowering, live) {
    const { node, inputs } = live;
    const [dy, indices] = inputs.map((id) => lowering.value(id));
    const { axis } = node.attributes as unknown as GatherGradientAttributes;
    const [output] = node.outputs as [ValueId];
    const fixed = lowering.survey.isFixed(output);
    lowering.settle([dy!, indices!], fixed);
    lowering.memory(indices!);
    if (dy!.cost > 1) lowering.memory(dy!);
    const storages = new Set<Storage>();
    for (const operand of [dy!, indices!]) operand.collectStorages(storages);
    const chain = Chain.behind(lowering, node, output, { storages });
    const shape = lowering.shapeOf(output);
    const count = countElements(indices!.shape);
    const rank = indices!.shape.length;
    const kernel = writeKernel(labelOf(node), lowering.settings.limits, (writer) => {
      const { id, workgroups } = writer.threads(countElements(shape));
      const index = Index.flat(writer, shape, id);
      shape.forEach((_, i) => {
        index.axis(i);
      });
      writer.line("var total = 0f;");
      writer.block(`for (var i = 0u; i < ${count}u; i++)`, () => {
        const position = Index.flat(writer, indices!.shape, "i");
        writer.block(`if (u32(${read(indices!, writer, position, 1)}) == ${index.axis(axis)})`, () => {
          const from = new Index(writer, dy!.shape, {
            axis: (a) => {
              if (a < axis) return index.axis(a);
              return a < axis + rank ? position.axis(a - axis) : index.axis(a - rank + 1);
            },
          });
          writer.line(`total += ${read(dy!, writer, from, 1)};`);
        });
      });
      chain.write(writer, index, 1, "total");
      return workgroups;
    });
    lowering.emit(kernel, fixed);
  },
};
