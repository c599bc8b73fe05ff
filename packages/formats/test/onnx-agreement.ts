import {
  EspalierError,
  type Model,
  randomInputs,
  reference,
  runModel,
  type TensorData,
} from "@espalier/core";
import { largestError } from "@espalier/core/testing";
import { type OnnxImportOptions, readOnnx, writeOnnx } from "@espalier/formats";
import { expect } from "vitest";
import { type FileParts, onnxFile } from "./onnx-build.ts";
import { withOnnx } from "./onnx-runtime.ts";

type Tensors = ReadonlyMap<string, TensorData>;

/**
 * Reads a file and compares it with ONNX Runtime, at two batch sizes where the batch is open; so is what it becomes when it
 * is written again.
 */
export async function agrees(
  parts: FileParts,
  options: OnnxImportOptions = {},
  inputsAt: (model: Model, batch: number) => Tensors = randomInputs,
): Promise<Model> {
  const bytes = onnxFile(parts);
  const model = readOnnx(bytes, options);
  const open = model.graph.inputs.some(({ value }) =>
    model.graph.values[value]!.shape.some((e) => typeof e !== "number"),
  );
  for (const batch of open ? [1, 3] : [1]) {
    const inputs = inputsAt(model, batch);
    const got = await runModel(model, reference, inputs);
    for (const file of [bytes, writeOnnx(model)]) {
      await withOnnx(file, "onnxruntime-node", async (run) => {
        for (const [name, tensor] of await run(inputs)) {
          expect(got.get(name)!.shape).toEqual(tensor.shape);
          expect(largestError(got.get(name)!, tensor)).toBeLessThan(1e-5);
        }
      });
    }
  }
  return model;
}

export const operators = ({ graph }: Model) => graph.nodes.map(({ operator }) => operator.name);
export const roles = ({ graph }: Model) =>
  Object.fromEntries(graph.tensors.map(({ name, role }) => [name, role]));
export const refusal = (parts: FileParts, options: OnnxImportOptions = {}): string => {
  try {
    readOnnx(onnxFile(parts), options);
  } catch (error) {
    expect(error).toBeInstanceOf(EspalierError);
    return (error as Error).message;
  }
  return "not refused";
};
