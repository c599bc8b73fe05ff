import {
  EspalierError,
  float32,
  type Graph,
  int32,
  printShape,
  resolveShape,
  type TensorData,
} from "@espalier/core/inference";
import type { Batch, WindowSet } from "./windows.ts";

/** The part of a batch of windows that each graph input takes, by Time-Series-Library's names. */
const parts: Readonly<Record<string, keyof Batch>> = {
  x_enc: "x",
  x_mark_enc: "xMark",
  x_dec: "xDec",
  x_mark_dec: "yMark",
  target: "y",
};

/** Fills the inputs of graphs from windows. Made once for a graph and a window set; each call makes one batch. */
export function inputsFrom(
  graph: Graph,
  windows: WindowSet,
): (indices: ArrayLike<number>) => Map<string, TensorData> {
  const wanted = graph.inputs.map(({ name, value }) => {
    const part = parts[name];
    if (part === undefined) {
      throw new EspalierError(
        `data has nothing for the model's input "${name}". Known: ${Object.keys(parts).join(", ")}.`,
      );
    }
    if ((part === "xMark" || part === "yMark") && windows.marks === 0) {
      throw new EspalierError(
        `the model's input "${name}" takes time marks, but the data has no dates. Draw the model with marks: 0.`,
      );
    }
    return { name, part, ...graph.values[value]! };
  });
  return (indices) => {
    const batch = windows.batch(indices);
    return new Map(
      wanted.map(({ name, part, shape, dtype }) => {
        const concrete = resolveShape(shape, indices.length);
        const data = batch[part]!;
        const size = concrete.reduce((n, extent) => n * extent, 1);
        if (size !== data.length) {
          throw new EspalierError(
            `the model's input "${name}" has shape ${printShape(shape)}, the data gives [${indices.length}, ${contentOf(part, windows)}.`,
          );
        }
        return [name, dtype === "int32" ? int32(concrete, data) : float32(concrete, data)];
      }),
    );
  };
}

/** A part of each window in words: `96, 5]: 96 rows of 5 time marks`. */
function contentOf(part: keyof Batch, windows: WindowSet): string {
  const { inputLength, horizon, labelLength, series, marks } = windows;
  const rows =
    { x: inputLength, xMark: inputLength, y: horizon, xDec: 0, yMark: 0 }[part] || labelLength + horizon;
  if (part !== "xMark" && part !== "yMark") return `${rows}, ${series}]: ${rows} rows of ${series} series`;
  return `${rows}, ${marks}]: ${rows} rows of ${marks} time marks, whose number depends on the step between rows`;
}
