import { float32, type Model, prunableDimensions, reference, type TensorData } from "@espalier/core";
import { Builder, differentiate } from "@espalier/core/graph";
import { groupLasso, groupSlices } from "@espalier/core/pruning";
import { drawEncoder, modelOf } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";

const model = modelOf(drawEncoder({ layers: 1 }));
const dimensions = prunableDimensions(model.dimensions);

/** The penalty and its gradients, drawn over the model's tensors alone. */
async function penaltyOf(of: Model, tensors = of.tensors) {
  const b = Builder.create();
  const parameters = new Map(
    of.graph.tensors.flatMap(({ name, role, value }) =>
      role === "trainable" ? [[name, b.tensor(name, role, of.graph.values[value]!)] as const] : [],
    ),
  );
  const penalty = groupLasso(b, of, dimensions, parameters)!;
  b.output("penalty", penalty);
  const gradients = differentiate(b, penalty, [...parameters.values()]);
  [...parameters.keys()].forEach((name, i) => {
    if (gradients[i] !== undefined) b.output(name, gradients[i]);
  });
  const { graph, data } = b.build();
  const state = await reference.createState(new Map<string, TensorData>([...tensors, ...data]));
  return (await reference.compile(graph, { state })).run(new Map());
}

/** Σ √n·‖w‖ from the slices that pruning itself would take. */
function byDefinition(of: Model): number {
  return dimensions
    .flatMap((dimension) => groupSlices(of, dimension).vectors)
    .reduce((sum, w) => sum + Math.sqrt(w.length) * Math.hypot(...w), 0);
}

describe("group lasso", () => {
  it("is the sum of √n·‖w‖ over heads, channels inside them, widths and embeddings", async () => {
    expect(new Set(dimensions.map(({ kind }) => kind)).size).toBe(5);
    const penalty = (await penaltyOf(model)).get("penalty")!.data[0]!;
    expect(penalty).toBeCloseTo(byDefinition(model), 2);
  });

  it("has the gradient that central differences have", async () => {
    const outputs = await penaltyOf(model);
    for (const name of ["layers.0.attention.query.weight", "layers.0.feedForward2.weight"]) {
      const { shape, data } = model.tensors.get(name)!;
      const step = 2 ** -8;
      for (const at of [0, 13, data.length - 1]) {
        const changed = (by: number) => {
          const tensor = float32(
            shape,
            data.map((w, i) => (i === at ? w + by : w)),
          );
          return { ...model, tensors: new Map([...model.tensors, [name, tensor]]) };
        };
        const slope = (byDefinition(changed(step)) - byDefinition(changed(-step))) / (2 * step);
        expect(outputs.get(name)!.data[at]).toBeCloseTo(slope, 3);
      }
    }
  });

  it("has no gradient where a group is zero, and none for biases", async () => {
    const zero = new Map(
      [...model.tensors].map(([name, { shape, data }]): [string, TensorData] => [
        name,
        float32(
          shape as readonly number[],
          Float32Array.from(data, () => 0),
        ),
      ]),
    );
    const outputs = await penaltyOf(model, zero);
    expect(outputs.get("layers.0.feedForward1.weight")!.data.every((g) => g === 0)).toBe(true);
    expect(outputs.has("layers.0.feedForward1.bias")).toBe(false);
  });
});
