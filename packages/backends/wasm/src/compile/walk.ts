/** Something walked over: strides in elements, axis by axis. */
export interface Operand {
  readonly strides: readonly number[];
}

interface Axis {
  extent: number;
  strides: number[];
}

const operands = 4;

/**
 * The `dims` that kernels walk by: rank, then { extent, byte strides of up to four operands } from the outermost axis to
 * the innermost, ordered as the first operand lies in memory. Neighbouring axes that all operands pass as one are one.
 * `padded`: the first operand's rows may be written up to the next multiple of four elements, and so they are: a row of
 * 7 is two vectors instead of one and three numbers, and rows join.
 */
export function walkOf(
  first: Operand,
  others: readonly Operand[],
  shape: readonly number[],
  padded: boolean,
): number[] {
  const all = [first, ...others];
  const axes = shape.flatMap((extent, axis): Axis[] =>
    extent === 1 ? [] : [{ extent, strides: all.map(({ strides }) => strides[axis]!) }],
  );
  axes.sort((a, b) => b.strides[0]! - a.strides[0]!);
  let merged = merge(axes);
  const row = merged.at(-1);
  if (padded && row !== undefined && row.strides[0] === 1) {
    const whole = Math.ceil(row.extent / 4) * 4;
    const steps = row.strides.every((stride) => stride === 0 || stride === 1);
    const fits = merged.length === 1 || merged.at(-2)!.strides[0]! >= whole;
    if (steps && fits) {
      row.extent = whole;
      merged = merge(merged);
    }
  }
  // Kernels write neighbours: where there are none, rows of one.
  if (merged.at(-1)?.strides[0] !== 1) merged.push({ extent: 1, strides: all.map(() => 1) });
  return [
    merged.length,
    ...merged.flatMap(({ extent, strides }) => [
      extent,
      ...Array.from({ length: operands }, (_, i) => 4 * (strides[i] ?? 0)),
    ]),
  ];
}

function merge(axes: readonly Axis[]): Axis[] {
  const merged: Axis[] = [];
  for (const axis of axes) {
    const outer = merged.at(-1);
    const joins = outer?.strides.every((stride, i) => stride === axis.strides[i]! * axis.extent);
    if (outer !== undefined && joins) {
      outer.extent *= axis.extent;
      outer.strides = axis.strides;
    } else merged.push({ ...axis });
  }
  return merged;
}
