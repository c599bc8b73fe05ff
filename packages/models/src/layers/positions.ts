import { float32, type TensorData } from "@espalier/core";
import { type Builder, expectRoom, type Value } from "@espalier/core/graph";

/** The first rows of Time-Series-Library's `PositionalEmbedding`, a buffer [1, rows, width]. */
export function positionTable(b: Builder, name: string, rows: number, width: number): Value {
  expectRoom("the table of positions", [rows, width]);
  return b.buffer(`${name}.pe`, float32([1, rows, width], sinusoids(rows, width)));
}

/** Sinusoidal positions (Vaswani et al., NeurIPS 2017), computed like PyTorch code: [rows, width], row-major. */
export function sinusoids(rows: number, width: number): Float32Array {
  const table = new Float32Array(rows * width);
  const rate = Math.fround(-(Math.log(10000) / width));
  for (let position = 0; position < rows; position++) {
    for (let i = 0; i < width; i += 2) {
      const angle = Math.fround(position * Math.fround(Math.exp(Math.fround(i * rate))));
      table[position * width + i] = Math.sin(angle);
      if (i + 1 < width) table[position * width + i + 1] = Math.cos(angle);
    }
  }
  return table;
}

/** Keeps the used rows of checkpoints' position tables, which are stored with 5000 rows. */
export function cutTable(table: TensorData, rows: number): TensorData {
  const width = table.shape.at(-1)!;
  return float32([1, rows, width], table.data.slice(0, rows * width));
}
