import { unknownName } from "@espalier/core/documents";
import type { ModelFactory } from "@espalier/core/graph";
import { autoformer } from "./autoformer.ts";
import { crossformer } from "./crossformer.ts";
import { dLinear } from "./d-linear.ts";
import { fedformer } from "./fedformer.ts";
import { huggingFacePatchTST } from "./hugging-face-patch-tst.ts";
import { iTransformer } from "./i-transformer.ts";
import { informer } from "./informer.ts";
import { nonstationaryTransformer } from "./nonstationary-transformer.ts";
import { patchTST } from "./patch-tst.ts";
import { sedimarkCrossformer } from "./sedimark-crossformer.ts";
import { timeXer } from "./time-xer.ts";
import { transformer } from "./transformer.ts";

/** The models of this package, by name. */
export const models: ReadonlyMap<string, ModelFactory<never>> = new Map(
  [
    patchTST,
    huggingFacePatchTST,
    iTransformer,
    timeXer,
    crossformer,
    sedimarkCrossformer,
    transformer,
    nonstationaryTransformer,
    informer,
    autoformer,
    fedformer,
    dLinear,
  ].map((factory) => [factory.definition.name, factory as ModelFactory<never>]),
);

/** Returns a model by name, in upper or lower case. Throws an EspalierError with the nearest name for an unknown one. */
export function findModel(name: string): ModelFactory<never> {
  for (const [known, factory] of models) if (known.toLowerCase() === name.toLowerCase()) return factory;
  throw unknownName("model", name, [...models.keys()]);
}
