import { access } from "node:fs/promises";
import type { TensorData } from "@espalier/core";

/** One comparison. */
export interface Check {
  readonly what: string;
  readonly error: number;
  readonly tolerance: number;
  readonly passed: boolean;
  readonly detail?: string;
}

/** ‖a − b‖ ÷ ‖b‖ against a tolerance. */
export function compare(what: string, a: TensorData, b: TensorData, tolerance: number): Check {
  if (a.shape.join() !== b.shape.join()) {
    const detail = `shape [${a.shape.join(", ")}], expected [${b.shape.join(", ")}]`;
    return { what, error: Number.POSITIVE_INFINITY, tolerance, passed: false, detail };
  }
  const error = distance(a, b) / normOf(b);
  return { what, error, tolerance, passed: error <= tolerance };
}

/** Euclidean norm of all elements. */
export function normOf({ data }: TensorData): number {
  return Math.sqrt(squares(data.length, (i) => data[i]!));
}

/** ‖a − b‖ of tensors of one shape. */
export function distance(a: TensorData, b: TensorData): number {
  return Math.sqrt(squares(b.data.length, (i) => a.data[i]! - b.data[i]!));
}

function squares(count: number, of: (i: number) => number): number {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += of(i) ** 2;
  return sum;
}

/** Whether a file exists. */
export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
