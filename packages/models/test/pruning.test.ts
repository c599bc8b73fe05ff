import {
  type Model,
  prunableDimensions,
  type RemoveStep,
  randomInputs,
  reference,
  runModel,
} from "@espalier/core";
import { type StoredNode, storedGraph } from "@espalier/core/graph";
import { applySteps } from "@espalier/core/pruning";
import { modelChecks, relativeError } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { smallModels } from "../src/testing.ts";

const full = { width: 12, heads: 3, feedForward: 10 };
const smaller = { width: 9, heads: 3, feedForward: 7 };
const narrow = smallModels(smaller);

/** A width that cannot shrink everywhere: no smaller drawing is what pruning gives. */
const partlyFixed = new Set(["FEDformer"]);

describe.each([...smallModels(full)])("structured pruning of %s", (name, architecture) => {
  const model = architecture.initialize(1);
  it.each(modelChecks(model).map((check) => [check.name, check] as const))("%s", async (_name, check) => {
    await check.run();
  });

  it.skipIf(partlyFixed.has(name))(
    "gives, node by node, the graph of the same model drawn at smaller widths",
    async () => {
      const small = applySteps(model, shrunk(model));
      const drawn = narrow.get(name)!.load(small.tensors);
      const trained = (node: StoredNode) => (node.operator === "Scale" ? { ...node, attributes: {} } : node);
      const graphOf = (m: Model) => {
        const stored = storedGraph(m.graph);
        return { ...stored, nodes: stored.nodes.map(trained) };
      };
      // Scalars such as 1 ÷ √channels stay what they were in training: they are data.
      expect(graphOf(small)).toEqual(graphOf(drawn));
      const scaled = {
        ...drawn,
        graph: {
          ...drawn.graph,
          nodes: drawn.graph.nodes.map((node, i) => withScale(node, small.graph.nodes[i]!)),
        },
      };
      const inputs = randomInputs(small);
      const [got, expected] = [
        await runModel(small, reference, inputs),
        await runModel(scaled, reference, inputs),
      ];
      expect(relativeError(got.get("output")!, expected.get("output")!)).toBe(0);
    },
  );
});

/** Removes the first indices of every dimension until its size is that of the smaller drawing. */
function shrunk(model: Model): RemoveStep[] {
  const sizes = new Map([
    [full.width, smaller.width],
    [full.width / full.heads, smaller.width / smaller.heads],
    [full.feedForward, smaller.feedForward],
  ]);
  const dimensions = prunableDimensions(model.dimensions).filter(({ kind }) => kind !== "head");
  return dimensions.map(({ name, size }) => ({
    do: "remove",
    dimension: name,
    extent: size,
    indices: Array.from({ length: size - sizes.get(size)! }, (_, i) => i),
    because: "",
  }));
}

function withScale(drawn: Model["graph"]["nodes"][number], pruned: Model["graph"]["nodes"][number]) {
  return drawn.operator.name === "Scale" ? { ...drawn, attributes: pruned.attributes } : drawn;
}
