import type { Model, Strategy } from "@espalier/core";
import { autoformer, dLinear, fedformer, informer, transformer } from "@espalier/models";
import { channel } from "@espalier/strategy-channel";
import { combined } from "@espalier/strategy-combined";
import { head } from "@espalier/strategy-head";
import { unstructured } from "@espalier/strategy-unstructured";

const lengths = { inputLength: 24, horizon: 12, series: 3 };
const small = { ...lengths, labelLength: 12, width: 16, feedForward: 24, heads: 4, layers: 2 };

/** Small models of Time-Series-Library's other architectures, each with a strategy that finds something to prune in it. */
export const libraryModels: readonly (readonly [string, Model, Strategy])[] = (
  [
    [transformer(small), combined([head(), channel(), unstructured()])],
    [informer({ ...small, factor: 2 }), channel()],
    [autoformer({ ...small, movingAverage: 5 }), combined([head(), channel()])],
    [fedformer({ ...small, movingAverage: 5, modes: 4 }), channel()],
    [dLinear({ ...lengths, movingAverage: 5 }), unstructured()],
  ] as const
).map(([architecture, strategy]) => {
  const model = architecture.initialize(1);
  return [model.name, model, strategy];
});
