import type { Lowering } from "../compile/lowering.ts";
import { fours, read, type Value, writeView } from "../compile/value.ts";
import { sliceView, type View } from "../compile/view.ts";
import type { Storage } from "../memory/storage.ts";
import { Index } from "../wgsl/index-space.ts";
import { blockSize } from "../wgsl/product.ts";
import { writeKernel } from "../wgsl/writer.ts";

const upTo4 = (n: number) => Math.ceil(n / 4) * 4;

/**
 * Fixed matrices [inner, columns] side by side, each filled up with zeros to a multiple of 4 columns: the layout products
 * read fastest. A single matrix that lies like this already stays where it is.
 */
export function packMatrices(lowering: Lowering, matrices: readonly Value[]): View {
  const [only] = matrices;
  const known = matrices.length === 1 ? only!.view : undefined;
  const [inner, columns] = only!.shape as [number, number];
  const aligned = known !== undefined && known.offset % 4 === 0 && columns % 4 === 0;
  const half = lowering.settings.half;
  if (aligned && !half && (known.strides[1] === 1 || columns === 1) && known.strides[0]! % 4 === 0)
    return known;
  const total = matrices.reduce((sum, { shape }) => sum + upTo4(shape[1]!), 0);
  const whole = lowering.allocate(only!.label, [inner, total], half ? "f16" : "f32", true);
  let start = 0;
  for (const matrix of matrices) {
    const width = upTo4(matrix.shape[1]!);
    pack(lowering, matrix, sliceView(whole, 1, start, start + width));
    start += width;
  }
  return whole;
}

/** Fixed vectors one after the other, each filled up to a multiple of 4; a number stands for as many zeros. */
export function packVectors(lowering: Lowering, vectors: readonly (Value | number)[]): View {
  const lengths = vectors.map((vector) => upTo4(typeof vector === "number" ? vector : vector.shape[0]!));
  const label = vectors.find((vector) => typeof vector !== "number")!.label;
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const whole = lowering.allocate(label, [total], "f32", true);
  let start = 0;
  vectors.forEach((vector, i) => {
    // New memory is zero.
    if (typeof vector !== "number") pack(lowering, vector, sliceView(whole, 0, start, start + lengths[i]!));
    start += lengths[i]!;
  });
  return whole;
}

/** Copies a value into a view whose last axis may be longer; what is beyond becomes zero. */
function pack(lowering: Lowering, value: Value, to: View): void {
  const extent = value.shape.at(-1)!;
  const kernel = writeKernel(value.label, lowering.settings.limits, (writer) => {
    const count = to.shape.reduce((product, n) => product * n, 1) / 4;
    const { id, workgroups } = writer.threads(count);
    const index = Index.quads(writer, to.shape, id);
    const last = to.shape.length - 1;
    const part = (i: number) => {
      const at = index.shift(i);
      if (extent % 4 === 0) return read(value, writer, at.with(last, extent, at.axis(last)), 1);
      const inside = writer.bind("u32", `min(${at.axis(last)}, ${extent - 1}u)`);
      const element = read(value, writer, at.with(last, extent, inside), 1);
      return `select(0f, ${element}, ${at.axis(last)} < ${extent}u)`;
    };
    writeView(writer, to, index, 4, fours("f32", part));
    return workgroups;
  });
  lowering.emit(kernel, true);
}

/**
 * For each 16 columns of a packed matrix [inner, columns] the blocks of 16 rows in which any element is not zero: their
 * number, then theirs. Found on the device, so that it holds for whatever the weights have become.
 */
export function blockLists(lowering: Lowering, packed: View): Storage {
  const [inner, columns] = packed.shape as [number, number];
  const [down, across] = [Math.ceil(inner / blockSize), Math.ceil(columns / blockSize)];
  const stride = down + 1;
  const label = `${packed.storage.name}, its blocks`;
  const { storage } = lowering.allocate(label, [across * stride], "u32", true);
  const kernel = writeKernel(label, lowering.settings.limits, (writer) => {
    const { id, workgroups } = writer.threads(across);
    const list = writer.bind("u32", `${id} * ${stride}u`);
    writer.line("var count = 0u;");
    writer.block(`for (var block = 0u; block < ${down}u; block++)`, () => {
      writer.line("var filled = false;");
      const rows = `min(${blockSize}u, ${inner}u - block * ${blockSize}u)`;
      writer.block(`for (var i = 0u; i < ${rows} && !filled; i++)`, () => {
        const row = writer.bind("u32", `block * ${blockSize}u + i`);
        const end = writer.bind("u32", `min(${columns}u, (${id} + 1u) * ${blockSize}u)`);
        writer.block(`for (var column = ${id} * ${blockSize}u; column < ${end}; column++)`, () => {
          const index = new Index(writer, packed.shape, { axis: (axis) => (axis === 0 ? row : "column") });
          const at = writer.load(packed.storage, `${index.axis(0)} * ${columns}u + ${index.axis(1)}`, 1);
          writer.line(`filled = filled || ${at} != 0f;`);
        });
      });
      writer.block("if (filled)", () => {
        writer.line("count++;");
        writer.store(storage, `${list} + count`, "block", 1);
      });
    });
    writer.store(storage, list, "count", 1);
    return workgroups;
  });
  lowering.emit(kernel, true);
  return storage;
}
