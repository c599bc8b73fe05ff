import type { Lowering } from "../compile/lowering.ts";
import type { LiveNode } from "../compile/survey.ts";
import { lowerAdam } from "./adam.ts";
import { indexing } from "./indexing.ts";
import { lowerMatMul } from "./matmul.ts";
import { normalization } from "./normalization.ts";
import { windows } from "./windows.ts";

/** Turns a node, and what follows it as far as it can be taken in, into kernels. */
export type Anchor = (lowering: Lowering, live: LiveNode) => void;

/** Operators with kernels of their own; all others are computed where their results are read. */
export const anchors: ReadonlyMap<string, Anchor> = new Map(
  Object.entries({ ...normalization, ...indexing, ...windows, MatMul: lowerMatMul, Adam: lowerAdam }),
);
