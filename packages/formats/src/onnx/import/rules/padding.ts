import { expand, type PadMode, pad } from "@espalier/core/graph";
import {
  axisOf,
  type Call,
  fixedExtent,
  input,
  knownIntegers,
  knownNumber,
  lift,
  needed,
  type Rule,
  shapeOf,
} from "../call.ts";
import { UnreadableError } from "../errors.ts";
import type { Item } from "../items.ts";
import { join } from "../layout.ts";
import { listOf } from "../sizes.ts";
import { take } from "./picking.ts";

/** Positions added before and after an axis; negative numbers remove them. */

const padRule: Rule = (call) => {
  const item = input(call, 0);
  const rank = shapeOf(item).length;
  const pads = needed(knownIntegers(call, 1, "pads"), "pads");
  const value = knownNumber(call, 2, "value") ?? 0;
  const axes = (knownIntegers(call, 3, "axes") ?? shapeOf(item).map((_, i) => i)).map((axis) =>
    axisOf(axis, rank),
  );
  const mode = call.attributes.text("mode", "constant");
  if (pads.length !== 2 * axes.length)
    throw new UnreadableError(`it has ${pads.length} pads for ${axes.length} axes`);
  return axes.reduce<Item>((x, axis, i) => {
    const [before, after] = [pads[i]!, pads[i + axes.length]!];
    return before === 0 && after === 0 ? x : padAxis(call, x, { axis, before, after, mode, value });
  }, item);
};

interface Padding {
  readonly axis: number;
  readonly before: number;
  readonly after: number;
  readonly mode: string;
  readonly value: number;
}

function padAxis(call: Call, item: Item, { axis, before, after, mode, value }: Padding): Item {
  const { b } = call;
  const extent = fixedExtent(shapeOf(item)[axis]!, "padding the batch axis");
  const from = Math.min(extent, Math.max(0, -before));
  const to = Math.max(from, extent - Math.max(0, -after));
  const cut = () =>
    take(
      call,
      item,
      axis,
      listOf(to - from, (i) => from + i),
    );
  const x = lift(call, to - from === extent ? item : cut());
  const [lead, tail] = [Math.max(0, before), Math.max(0, after)];
  if (lead + tail > 2 ** 24) throw new UnreadableError(`it pads an axis by ${lead + tail}`);
  const size = to - from;
  if (mode === "reflect") {
    const period = Math.max(1, 2 * (size - 1));
    const positions = listOf(lead + size + tail, (i) => {
      const at = (((i - lead) % period) + period) % period;
      return at < size ? at : period - at;
    });
    return take(call, x, axis, positions);
  }
  if (mode !== "constant" && mode !== "edge" && mode !== "wrap")
    throw new UnreadableError(`its mode ${mode.slice(0, 20)} is not supported`);
  if (mode !== "constant" || value === 0) return pad(b, x, axis, lead, tail, mode as PadMode);
  const border = (count: number) =>
    count === 0 ? [] : [expand(b, call.context.weights.number(value), x.shape.with(axis, count))];
  return join(b, [...border(lead), x, ...border(tail)], axis, false);
}

export const padding: Readonly<Record<string, Rule>> = { Pad: padRule };
