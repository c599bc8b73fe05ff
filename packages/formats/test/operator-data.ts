import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { clone, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { TensorData } from "@espalier/core";
import { type ModelProto, ModelProtoSchema, type TensorProto, TensorProtoSchema } from "onnx-buf";
import type { Known } from "../src/onnx/import/known.ts";
import { kindOf, readTensor } from "../src/onnx/import/tensor-data.ts";

/** ONNX's own test data of every operator, which its Python package computes. */
export interface OperatorCase {
  readonly name: string;
  readonly model: ModelProto;
  readonly inputs: readonly TensorProto[];
  readonly outputs: readonly TensorProto[];
}

/** Writes a line of JSON for every case whose data are plain tensors. */
const script = `
import base64, json, sys, warnings
warnings.filterwarnings("ignore")
import numpy, onnx
from onnx.backend.test.case.node import collect_testcases

def packed(value):
    tensor = value if isinstance(value, onnx.TensorProto) else onnx.numpy_helper.from_array(numpy.asarray(value))
    return base64.b64encode(tensor.SerializeToString()).decode()

with open(sys.argv[1], "w") as file:
    for case in collect_testcases(None):
        inputs, outputs = case.data_sets[0]
        if any(value is None or isinstance(value, (list, dict)) for value in [*inputs, *outputs]):
            continue
        try:
            file.write(json.dumps({
                "name": case.name,
                "model": base64.b64encode(case.model.SerializeToString()).decode(),
                "inputs": [packed(value) for value in inputs],
                "outputs": [packed(value) for value in outputs],
            }) + "\\n")
        except TypeError:
            pass
`;

/** A Python that has ONNX's package: `PYTHON`, or the one on the path; undefined if there is none. */
export function pythonWithOnnx(): string | undefined {
  const candidates = [process.env.PYTHON, "python3", "python"].filter((command) => command !== undefined);
  return candidates.find((command) => spawnSync(command, ["-c", "import onnx.backend.test"]).status === 0);
}

export function operatorCases(python: string): OperatorCase[] {
  const folder = mkdtempSync(join(tmpdir(), "espalier-operators-"));
  try {
    const file = join(folder, "cases.jsonl");
    const { status, stderr } = spawnSync(python, ["-c", script, file], { encoding: "utf8" });
    if (status !== 0) throw new Error(stderr.slice(-500));
    const bytes = (text: string) => Uint8Array.from(Buffer.from(text, "base64"));
    const tensors = (texts: readonly string[]) =>
      texts.map((text) => fromBinary(TensorProtoSchema, bytes(text)));
    return readFileSync(file, "utf8")
      .split("\n")
      .filter(Boolean)
      .map((line) => {
        const { name, model, inputs, outputs } = JSON.parse(line);
        return {
          name,
          model: fromBinary(ModelProtoSchema, bytes(model)),
          inputs: tensors(inputs),
          outputs: tensors(outputs),
        };
      })
      .filter(({ inputs, outputs }) =>
        [...inputs, ...outputs].every(({ dataType }) => kindOf(dataType) !== undefined),
      );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Changes to a case: which of its inputs become initialisers, and whether its batch is open. */
export interface Variant {
  readonly isConstant: (input: number, count: number) => boolean;
  readonly openBatch: boolean;
}

export const variants: Readonly<Record<string, Variant>> = {
  "with all inputs": { isConstant: () => false, openBatch: false },
  "of constants only": { isConstant: () => true, openBatch: false },
  "with its first input": { isConstant: (i) => i > 0, openBatch: false },
  "with its last input": { isConstant: (i, count) => i < count - 1, openBatch: false },
  "with an open batch": { isConstant: () => false, openBatch: true },
  "with an open batch and its first input": { isConstant: (i) => i > 0, openBatch: true },
};

/** The file of a case, and the tensors that are still inputs of it. */
export function vary(
  { model, inputs, outputs }: OperatorCase,
  { isConstant, openBatch }: Variant,
): { readonly file: Uint8Array; readonly inputs: ReadonlyMap<string, Known> } {
  const changed = clone(ModelProtoSchema, model);
  const graph = changed.graph!;
  if (openBatch) {
    const extent = inputs[0]?.dims[0];
    const ports = [...graph.input.map((port, i) => [port, inputs[i]] as const)];
    for (const [port, tensor] of [...ports, ...graph.output.map((port, i) => [port, outputs[i]] as const)]) {
      const type = port.type?.value;
      if (type?.case !== "tensorType" || tensor === undefined || tensor.dims.length < 2) continue;
      const first = type.value.shape?.dim[0];
      if (first !== undefined && tensor.dims[0] === extent) first.value = { case: "dimParam", value: "N" };
    }
  }
  const given = graph.input.map((port, i) => ({
    port,
    tensor: inputs[i]!,
    fixed: isConstant(i, inputs.length),
  }));
  graph.input = given.filter(({ fixed }) => !fixed).map(({ port }) => port);
  graph.initializer.push(
    ...given.filter(({ fixed }) => fixed).map(({ port, tensor }) => ({ ...tensor, name: port.name })),
  );
  const open = given
    .filter(({ fixed }) => !fixed)
    .map(({ port, tensor }) => [port.name, readTensor(tensor)] as const);
  return { file: toBinary(ModelProtoSchema, changed), inputs: new Map(open) };
}

/** A known array as a tensor of a type that models have. */
export function asTensor({ shape, data }: Known, dtype: TensorData["dtype"]): TensorData {
  return dtype === "int32"
    ? { dtype, shape, data: Int32Array.from(data) }
    : { dtype, shape, data: Float32Array.from(data) };
}
