import { EspalierError } from "../errors.ts";
import { factorOf, isBatch, printShape, resolveShape } from "./extent.ts";
import type { Graph } from "./graph.ts";
import type { TensorData } from "./tensor.ts";

/**
 * Checks the inputs of a run against the graph and returns their batch size (1 for graphs without a batch axis). Throws
 * an EspalierError that names the input and both shapes, or for data that does not match the size of its shape or holds
 * NaN, which would silently make the forecast NaN.
 */
export function bindInputs(graph: Graph, inputs: ReadonlyMap<string, TensorData>): number {
  let batchSize: number | undefined;
  for (const { name, value } of graph.inputs) {
    const { shape, dtype } = graph.values[value]!;
    const given = inputs.get(name);
    if (given === undefined) {
      throw new EspalierError(
        `input "${name}" ${printShape(shape)} is missing. Given: ${[...inputs.keys()].join(", ") || "none"}.`,
      );
    }
    if (given.dtype !== dtype) {
      throw new EspalierError(`input "${name}" holds ${given.dtype}, the graph expects ${dtype}.`);
    }
    const axis = shape.findIndex(isBatch);
    if (axis >= 0 && batchSize === undefined && given.shape.length === shape.length) {
      const size = given.shape[axis]! / factorOf(shape[axis]!);
      if (Number.isInteger(size) && size >= 1) batchSize = size;
    }
    const expected = resolveShape(shape, batchSize ?? 1);
    if (given.shape.length !== expected.length || given.shape.some((extent, i) => extent !== expected[i])) {
      const at = batchSize === undefined ? "" : ` (batch ${batchSize})`;
      throw new EspalierError(
        `input "${name}" has shape [${given.shape.join(", ")}], the graph expects ${printShape(shape)}${at}.`,
      );
    }
    expectNumbers(name, given);
  }
  const unknown = [...inputs.keys()].find((name) => !graph.inputs.some((input) => input.name === name));
  if (unknown !== undefined) {
    throw new EspalierError(
      `the graph has no input "${unknown}". It has: ${graph.inputs.map((i) => i.name).join(", ")}.`,
    );
  }
  return batchSize ?? 1;
}

function expectNumbers(name: string, { shape, data }: TensorData): void {
  const size = shape.reduce((n, extent) => n * extent, 1);
  if (data.length !== size) {
    throw new EspalierError(
      `input "${name}" has ${data.length} numbers, its shape [${shape.join(", ")}] takes ${size}.`,
    );
  }
  if (!Number.isNaN(sum(data))) return;
  const at = data.findIndex(Number.isNaN);
  if (at < 0) return;
  throw new EspalierError(
    `input "${name}" holds NaN at ${at}. Fill missing values before a model sees them.`,
  );
}

/** NaN if any of the numbers is. Four sums side by side: a small model's forecast takes no longer than one number at a time. */
function sum(data: TensorData["data"]): number {
  const whole = data.length & ~3;
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  let i = 0;
  for (; i < whole; i += 4) {
    a += data[i]!;
    b += data[i + 1]!;
    c += data[i + 2]!;
    d += data[i + 3]!;
  }
  for (; i < data.length; i++) a += data[i]!;
  return a + b + c + d;
}

/** The outputs that a run returns: the requested ones, in graph order. An unknown name is an error. */
export function selectOutputs(graph: Graph, read: readonly string[] | undefined): Graph["outputs"] {
  if (read === undefined) return graph.outputs;
  for (const name of read) {
    if (!graph.outputs.some((output) => output.name === name)) {
      throw new EspalierError(
        `the graph has no output "${name}". It has: ${graph.outputs.map((o) => o.name).join(", ")}.`,
      );
    }
  }
  return graph.outputs.filter((output) => read.includes(output.name));
}

/** Checks that a state holds every tensor of a graph with the shape the graph expects. */
export function checkTensors(graph: Graph, shapeOf: (name: string) => readonly number[] | undefined): void {
  for (const { name, value } of graph.tensors) {
    const expected = graph.values[value]!.shape;
    const shape = shapeOf(name);
    if (shape === undefined)
      throw new EspalierError(`tensor "${name}" ${printShape(expected)} is not in the state.`);
    if (shape.length !== expected.length || shape.some((extent, i) => extent !== expected[i])) {
      throw new EspalierError(
        `tensor "${name}" has shape [${shape.join(", ")}], the graph expects ${printShape(expected)}.`,
      );
    }
  }
}
