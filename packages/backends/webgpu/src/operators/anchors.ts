import type { Attributes, AttributesNamed, OperatorName } from "@espalier/core";
import type { Lowering } from "../compile/lowering.ts";
import type { LiveNode } from "../compile/survey.ts";
import { lowerAdam } from "./adam.ts";
import { indexing } from "./indexing.ts";
import { lowerMatMul } from "./matmul.ts";
import { normalization } from "./normalization.ts";
import { windows } from "./windows.ts";

/** Turns a node, and what follows it as far as it can be taken in, into kernels. */
export type Anchor<A extends Attributes = Attributes> = (lowering: Lowering, live: LiveNode<A>) => void;
/** Anchors by the operators they are for. */
export type Anchors = { readonly [N in OperatorName]?: Anchor<AttributesNamed<N>> };

/** Operators with kernels of their own; all others are computed where their results are read. */
const byName: Anchors = { ...normalization, ...indexing, ...windows, MatMul: lowerMatMul, Adam: lowerAdam };
export const anchors = new Map(Object.entries(byName)) as ReadonlyMap<string, Anchor>;
