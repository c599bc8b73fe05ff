import { EspalierError, type Model, reference, runModel } from "@espalier/core";
import { readOnnx, writeOnnx } from "@espalier/formats";
import { TensorProto_DataType as Type } from "onnx-buf";
import { beforeAll, describe, expect, it } from "vitest";
import { readTensor } from "../src/onnx/import/tensor-data.ts";
import { withOnnx } from "./onnx-runtime.ts";
import {
  asTensor,
  type OperatorCase,
  operatorCases,
  pythonWithOnnx,
  type Variant,
  variants,
  vary,
} from "./operator-data.ts";

/** ONNX's own operator data, read, run, written and run by ONNX Runtime: right, or refused. */

const python = pythonWithOnnx();
const lacking = python === undefined ? " (no Python with the package onnx: give one as PYTHON)" : "";

type Result = "right" | "refused" | { readonly wrong: string };

/** The largest difference, relative to the largest number that is expected. */
function difference(got: ArrayLike<number | bigint>, wanted: ArrayLike<number>): number {
  if (got.length !== wanted.length) return Number.POSITIVE_INFINITY;
  let [most, largest] = [0, 1e-3];
  for (let i = 0; i < wanted.length; i++) {
    const [own, expected] = [Number(got[i]), wanted[i]!];
    if (Number.isFinite(expected)) largest = Math.max(largest, Math.abs(expected));
    if (own === expected || Object.is(own, expected)) continue;
    const off = Math.abs(own - expected);
    most = Math.max(most, Number.isNaN(off) ? Number.POSITIVE_INFINITY : off);
  }
  return most / largest;
}

function read(file: Uint8Array): Model | undefined {
  try {
    return readOnnx(file);
  } catch (error) {
    if (error instanceof EspalierError && !error.message.includes("\n")) return undefined;
    throw error;
  }
}

async function tryOut(one: OperatorCase, variant: Variant): Promise<Result> {
  const { file, inputs: given } = vary(one, variant);
  const model = read(file);
  if (model === undefined) return "refused";
  const { graph } = model;
  const inputs = new Map(
    graph.inputs.map(({ name, value }) => [name, asTensor(given.get(name)!, graph.values[value]!.dtype)]),
  );
  // Models do not take missing values, nor a batch without samples.
  if ([...inputs.values()].some(({ data }) => data.length === 0 || data.some(Number.isNaN))) return "refused";
  const expected = one.model.graph!.output.map(({ name }, i) => [name, readTensor(one.outputs[i]!)] as const);
  // Weights stored with 8 bits of precision stay weights: nothing is rounded in between.
  const coarse = [...one.inputs, ...one.outputs].some(({ dataType }) => dataType === Type.BFLOAT16);
  const wrong: string[] = [];
  const compare = (what: string, outputs: Awaited<ReturnType<typeof runModel>>) => {
    for (const [name, { shape, data }] of expected) {
      const got = outputs.get(name);
      if (got?.shape.join() !== shape.join()) wrong.push(`${what}: ${name} [${got?.shape}] for [${shape}]`);
      else if (!(difference(got.data, data) < (coarse ? 1e-2 : 1e-3))) wrong.push(`${what}: ${name}`);
    }
  };
  compare("reference", await runModel(model, reference, inputs));
  await withOnnx(writeOnnx(model), "onnxruntime-node", async (run) => compare("export", await run(inputs)));
  return wrong.length === 0 ? "right" : { wrong: wrong.join("; ") };
}

describe.skipIf(python === undefined)(`every operator of ONNX${lacking}`, () => {
  let cases: readonly OperatorCase[] = [];
  beforeAll(() => {
    cases = operatorCases(python!);
  }, 300_000);

  it.each(Object.entries(variants))(
    "%s: is right, or refused",
    async (_, variant) => {
      const wrong: string[] = [];
      let right = 0;
      for (const one of cases) {
        const result = await tryOut(one, variant).catch((error) => ({ wrong: String(error) }));
        if (result === "right") right++;
        if (typeof result === "object") wrong.push(`${one.name}: ${result.wrong.slice(0, 200)}`);
      }
      expect(wrong).toEqual([]);
      expect(right).toBeGreaterThan(250);
    },
    900_000,
  );
});
