/**
 * Writes the kept file of the current format version, once: it must load for ever, so it is never written anew.
 * `node --conditions=@espalier/source packages/formats/test/kept/write.ts`
 */
import { fileURLToPath } from "node:url";
import { prune, randomInputs, reference, runModel, withTensors } from "@espalier/core";
import { drawEncoder, modelOf } from "@espalier/core/testing";
import { roundWeights } from "@espalier/formats";
import { saveModel } from "@espalier/formats/node";
import { channel } from "@espalier/strategy-channel";
import { head } from "@espalier/strategy-head";
import { unstructured } from "@espalier/strategy-unstructured";

const drawing = drawEncoder({
  tokens: 4,
  input: 3,
  width: 6,
  heads: 2,
  feedForward: 8,
  layers: 2,
  output: 2,
});
let model = modelOf(drawing, 5, "Encoder of the tests");
for (const strategy of [head({ keepAtLeast: 0 }), channel(), unstructured()])
  model = prune(model, await strategy.plan({ model, amount: 0.4 }));
model = withTensors(model, new Map(), [{ did: "fit", settings: { epochs: 1 } }]);
model = roundWeights(model, "int8");
const outputs = await runModel(model, reference, randomInputs(model));
const metadata = { series: ["a", "b"], expected: [...outputs.get("y")!.data] };
await saveModel(fileURLToPath(new URL("model-v2.safetensors", import.meta.url)), { ...model, metadata });
