import type { LiveNode } from "@espalier/core/compile";
import type { Attributes, AttributesNamed, OperatorName } from "@espalier/core/graph";
import type { Lowering } from "../compile/lowering.ts";

/** Turns a node, and what follows it as far as it can be taken in, into kernels. */
export type Anchor<A extends Attributes = Attributes> = (lowering: Lowering, live: LiveNode<A>) => void;
/** Anchors by the operators they are for. */
export type Anchors = { readonly [N in OperatorName]?: Anchor<AttributesNamed<N>> };
