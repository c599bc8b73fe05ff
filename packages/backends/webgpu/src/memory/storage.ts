/** Storage of one element on the device. Computation is in f32 in any case. */
export type ElementType = "f32" | "f16" | "i32" | "u32";

/**
 * Memory that kernels read and write: a tensor of the state, a graph input, numbers that the program brings along
 * (`constant`), a value that is kept between runs because no run changes it (`fixed`), or one that lives within a run
 * (`temporary`).
 */
export interface Storage {
  readonly kind: "tensor" | "input" | "constant" | "fixed" | "temporary";
  /** Name of the tensor or input; otherwise the node that makes it. What messages call it. */
  readonly name: string;
  readonly type: ElementType;
  readonly elements: number;
  /** Content of a constant. */
  readonly data?: Float32Array | Int32Array;
}

export function bytesOf({ type, elements }: Storage): number {
  return Math.max(4, elements) * (type === "f16" ? 2 : 4);
}
