import { EspalierError } from "../errors.ts";
import { countElements, factorOf, printShape, type Shape } from "./extent.ts";

/** The part of Node's `process` that is used here. */
interface Platform {
  getBuiltinModule?(name: "node:os"): { totalmem(): number };
  constrainedMemory?(): number;
}

/** The range of a 32-bit address: no WebAssembly memory is larger, so nothing larger could be run. */
const addressable = 2 ** 32;

/** Nodes of the largest graph: some thousand layers. */
const maxNodes = 250_000;

let known: number | undefined;

/** Bytes that the tensors of a model may take here: what the machine (or the container) has, and at most 4 GiB. */
export function memoryLimit(): number {
  const { process } = globalThis as { readonly process?: Platform };
  known ??= Math.min(
    addressable,
    process?.getBuiltinModule?.("node:os").totalmem() ?? addressable,
    // 0 or an absurd number where there is no constraint.
    process?.constrainedMemory?.() || addressable,
  );
  return known;
}

/** Throws an EspalierError if numbers of a shape (with a batch of one), and `beside` bytes, are more than memory holds. */
export function expectRoom(what: string, shape: Shape, beside = 0): number {
  const bytes = 4 * countElements(shape.map(factorOf)) + beside;
  const limit = memoryLimit();
  if (bytes <= limit) return bytes;
  const more = beside === 0 ? "" : " and what was drawn before it";
  throw new EspalierError(
    `${what} ${printShape(shape)}${more} would take ${gigabytes(bytes)} of memory; a model can have at most ${gigabytes(limit)} here. Choose smaller sizes.`,
  );
}

/** Throws an EspalierError if a graph has more nodes than anything could compile. */
export function expectFewNodes(count: number): void {
  if (count > maxNodes)
    throw new EspalierError(
      `the graph would have more than ${maxNodes.toLocaleString("en")} nodes. Choose fewer layers.`,
    );
}

function gigabytes(bytes: number): string {
  return `${Math.max(bytes / 1e9, 0.1).toLocaleString("en", { maximumFractionDigits: 1 })} GB`;
}
