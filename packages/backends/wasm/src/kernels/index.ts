import { linear } from "@espalier/core/compile/inference";
import type { Graph } from "@espalier/core/inference";
import { elementwise } from "./elementwise.ts";
import type { Emit, Emits, KernelSet } from "./kernel.ts";
import { layout } from "./layout.ts";
import { normalization } from "./normalization.ts";
import { attentionPattern, emitProduct } from "./products.ts";

/** Kernels of the operators that most forecasters have. */
const common = { ...elementwise, ...layout, ...normalization, MatMul: emitProduct } satisfies Emits;

/** Emits under the names of their operators. */
export const emitsOf = (emits: Emits): ReadonlyMap<string, Emit> =>
  new Map(Object.entries(emits) as [string, Emit][]);

/** All that a graph needs. Operators that few forecasters have, and training, are loaded where a graph has them. */
export async function kernelsFor(graph: Graph): Promise<KernelSet> {
  const emits = emitsOf(common);
  const isCommon = graph.nodes.every(({ operator: { name } }) => emits.has(name) || name === "Dropout");
  if (isCommon) return { emits, patterns: [attentionPattern, linear] };
  const { others, trainingPatterns, training } = await import("./others.ts");
  return {
    emits: emitsOf({ ...common, ...others }),
    patterns: [...trainingPatterns, attentionPattern, linear],
    training,
  };
}
