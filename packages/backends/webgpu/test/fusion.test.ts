import { float32, reference, type Tensors } from "@espalier/core";
import { type Graph, randomStream, resolveShape } from "@espalier/core/graph";
import { largestError, randomGraph } from "@espalier/core/testing";
import { expect, it } from "vitest";
import { webgpu } from "../src/index.ts";
import { describeOnAdapter } from "./adapter.ts";

function inputsOf(graph: Graph, batchSize: number): Tensors {
  return new Map(
    graph.inputs.map(({ name, value }) => {
      const shape = resolveShape(graph.values[value]!.shape, batchSize);
      const next = randomStream(9, name);
      return [
        name,
        float32(
          shape,
          Float32Array.from({ length: shape.reduce((n, e) => n * e, 1) }, () => 2 * next() - 1),
        ),
      ];
    }),
  );
}

const [first, count] = (process.env.ESPALIER_GRAPHS ?? "0,40").split(",").map(Number) as [number, number];

describeOnAdapter("whatever meets in a kernel is computed as its definition says", () => {
  const backends = [reference, webgpu(), webgpu({ tiling: "workgroup" })];

  it.each(Array.from({ length: count }, (_, i) => first + i))("random graph %i", async (seed) => {
    const { graph, tensors } = randomGraph(seed);
    const used = seed % 8 === 0 ? backends : backends.slice(0, 2);
    const programs = await Promise.all(
      used.map(async (backend) => {
        const state = await backend.createState(tensors);
        return backend.compile(graph, { state });
      }),
    );
    for (const batchSize of [1, 3]) {
      const inputs = inputsOf(graph, batchSize);
      const [expected, ...got] = await Promise.all(programs.map((program) => program.run(inputs)));
      for (const outputs of got) {
        for (const [name, tensor] of expected!) {
          expect(largestError(outputs.get(name)!, tensor), `${name}, batch ${batchSize}`).toBeLessThan(3e-5);
        }
      }
    }
  });
});
