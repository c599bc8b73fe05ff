import { elementsOf, factorOf, printShape, type Shape } from "@espalier/core/graph";
import { UnreadableError } from "./errors.ts";

/** Sizes that no model needs and no machine could run, though a file asks for them in a few bytes. */

/** Maximum number of axes. */
export const maxAxes = 16;
/** Maximum number of elements of a value for one sample: 1 GiB. */
const maxElements = 2 ** 28;
/** Maximum number of positions along an axis that are listed one by one. */
const maxPositions = 2 ** 20;
/** Maximum number of parts that a value is split into. */
export const maxParts = 8192;

/** Throws an UnreadableError for the shape of a value that cannot be run. */
export function checkShape(shape: Shape): void {
  if (shape.length > maxAxes)
    throw new UnreadableError(
      `it computes a value of ${shape.length} axes, but at most ${maxAxes} are supported`,
    );
  const extents = shape.map(factorOf);
  if (extents.some((extent) => !(Number.isInteger(extent) && extent >= 0)))
    throw new UnreadableError(`it computes a value of shape ${printShape(shape)}, which cannot be`);
  if (factorOf(elementsOf(extents)) > maxElements)
    throw new UnreadableError(`it computes a value of shape ${printShape(shape)}, which is too large to run`);
}

/** A list of numbers by their position. Throws an UnreadableError for one that is too long. */
export function listOf(count: number, at: (i: number) => number, most = maxPositions): number[] {
  if (!(count >= 0 && count <= most))
    throw new UnreadableError(`it would list ${count} positions, but at most ${most} are supported`);
  return Array.from({ length: count }, (_, i) => at(i));
}
