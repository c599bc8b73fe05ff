import type { Tensor, Tf } from "../tensorflow-js.ts";
import { sizeOf } from "./kernel.ts";

export type Numbers = Float32Array | Int32Array;

interface Place {
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly dataId: object;
}

/** The wasm backend's interface for kernels: views of its memory, valid until it grows. */
interface Heap {
  makeOutput(shape: readonly number[], dtype: string): Place;
  typedArrayFromHeap(tensor: Place): Numbers;
}

/** Memory of the wasm backend; undefined while another backend is at work. */
export interface Memory {
  /** A tensor whose numbers are still to be written. */
  empty(shape: readonly number[], dtype: "float32" | "int32"): Tensor;
  /** A tensor's numbers where they lie; stale once another tensor was made. */
  view(tensor: Tensor): Numbers;
}

export function memoryOf(tf: Tf): Memory | undefined {
  const backend = tf.backend() as unknown as Partial<Heap>;
  if (backend.makeOutput === undefined || backend.typedArrayFromHeap === undefined) return undefined;
  const heap = backend as Heap;
  return {
    empty(shape, dtype) {
      const { dataId } = heap.makeOutput([...shape], dtype);
      return tf.engine().makeTensorFromDataId(dataId as never, [...shape], dtype, tf.backend());
    },
    view: (tensor) => heap.typedArrayFromHeap(tensor),
  };
}

/**
 * A tensor that a loop in JavaScript fills, from tensors it reads: both backends keep their data in this process's memory.
 * In the wasm backend both are views of it, so nothing is copied in or out. `fill` must write every element, and make no
 * tensor meanwhile.
 */
export function produce(
  tf: Tf,
  shape: readonly number[],
  dtype: "float32" | "int32",
  inputs: readonly Tensor[],
  fill: (out: Numbers, ...inputs: readonly Numbers[]) => void,
): Tensor {
  const memory = memoryOf(tf);
  if (memory === undefined) {
    const data = dtype === "int32" ? new Int32Array(sizeOf(shape)) : new Float32Array(sizeOf(shape));
    fill(data, ...inputs.map((input) => input.dataSync() as Numbers));
    return tf.tensor(data, [...shape], dtype);
  }
  const out = memory.empty(shape, dtype);
  fill(memory.view(out), ...inputs.map((input) => memory.view(input)));
  return out;
}

/** Copies a run of numbers. */
export function copyRun(from: Numbers, start: number, to: Numbers, at: number, length: number): void {
  if (length >= 32) to.set(from.subarray(start, start + length), at);
  else for (let i = 0; i < length; i++) to[at + i] = from[start + i]!;
}
