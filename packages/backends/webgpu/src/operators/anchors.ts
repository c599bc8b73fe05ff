import { lowerAdam } from "./adam.ts";
import type { Anchor, Anchors } from "./anchor.ts";
import { indexing } from "./indexing.ts";
import { lowerMatMul } from "./matmul.ts";
import { normalization } from "./normalization.ts";
import { windows } from "./windows.ts";

/** Operators with kernels of their own; all others are computed where their results are read. */
const byName: Anchors = { ...normalization, ...indexing, ...windows, MatMul: lowerMatMul, Adam: lowerAdam };
export const anchors = new Map(Object.entries(byName)) as ReadonlyMap<string, Anchor>;
