import { create, toBinary } from "@bufbuild/protobuf";
import { EspalierError, type Model } from "@espalier/core";
import { readBy } from "@espalier/core/documents";
import type { Node } from "@espalier/core/graph";
import { removeDead } from "@espalier/core/pruning";
import { TensorProto_DataType as ElementType, ModelProtoSchema } from "onnx-buf";
import { z } from "zod";
import { roundWeights, storedTensors } from "../model/stored-weights.ts";
import { GraphWriter } from "./graph-writer.ts";
import { describe, metadataOf } from "./metadata.ts";
import type { NodeCall } from "./node-call.ts";
import { rules } from "./operators.ts";
import { float16Tensor, int, tensorProto, valueInfo } from "./proto.ts";
import { absorbedNodes } from "./recurrent.ts";

/** The IR version that came with each operator set. */
const irVersions: Readonly<Record<number, number>> = { 17: 8, 18: 8, 19: 9, 20: 9, 21: 10 };

const opsetRange = "must be 17 to 21";
const schema = z
  .strictObject({
    opset: z.int(opsetRange).min(17, opsetRange).max(21, opsetRange).default(20),
    gelu: z.enum(["operator", "decomposed"]).optional(),
    weights: z.enum(["float32", "float16"]).default("float32"),
  })
  .transform(({ gelu, ...rest }) => ({
    ...rest,
    gelu: gelu ?? (rest.opset < 20 ? "decomposed" : "operator"),
  }));

/**
 * - `opset`: version of ONNX's operators, 17 to 21 (20). The file's IR version is the one that came with it: 8 for 17
 *   and 18, 9 for 19 and 20, 10 for 21.
 * - `gelu`: `operator` (from opset 20 on, and then by default), or `decomposed` into Div, Erf, Add and Mul.
 * - `weights`: `float32`, or `float16`: weights with two or more axes are stored in half the bytes and cast when the file
 *   is loaded; `roundWeights` gives the model with the same rounding, to measure what it changes.
 */
export type OnnxOptions = z.input<typeof schema>;
type Options = z.output<typeof schema>;

/**
 * A model's evaluation graph as an ONNX file. The batch axis is dynamic, weights keep their names and layouts, masked
 * weights are zeros, what no output depends on is left out, and `metadata_props` say where the model comes from and what
 * was pruned. The same model gives the same bytes.
 * Throws an EspalierError for a training graph, and for tensors beyond 2 GiB.
 */
export function writeOnnx(model: Model, options: OnnxOptions = {}): Uint8Array {
  const parsed = parseOptions(options);
  if (model.graph.updates.length > 0) {
    throw new EspalierError(
      `the graph updates "${model.graph.updates[0]!.tensor}" after each run, which ONNX cannot say. Export the evaluation graph.`,
    );
  }
  const written = removeDead(model);
  const numbers = parsed.weights === "float16" ? roundWeights(written, "float16") : written;
  const writer = new GraphWriter(written);
  const names = writeTensors(writer, written, parsed);
  writeNodes(writer, written, parsed);
  const { inputs, outputs, values } = written.graph;
  const info = ({ name, value }: { name: string; value: number }) =>
    valueInfo(name, values[value]!.dtype, values[value]!.shape);
  const proto = create(ModelProtoSchema, {
    irVersion: BigInt(irVersions[parsed.opset]!),
    opsetImport: [{ domain: "", version: BigInt(parsed.opset) }],
    producerName: "espalier",
    docString: describe(model, written),
    graph: {
      name: model.name,
      input: inputs.map(info),
      output: outputs.map(info),
      initializer: writer.initializers,
      node: writer.nodes,
    },
    metadataProps: [
      ...metadataOf(
        { ...model, history: numbers.history },
        { model: numbers, names, nameOf: (value) => writer.nameOf(value) },
      ),
    ].map(([key, value]) => ({ key, value })),
  });
  return toBinary(ModelProtoSchema, proto);
}

function parseOptions(options: OnnxOptions): Options {
  const parsed = readBy(schema, options, "ONNX export");
  if (parsed.gelu === "operator" && parsed.opset < 20) {
    throw new EspalierError(
      `ONNX export: Gelu is an operator from opset 20 on, the file is to have ${parsed.opset}. Give gelu: "decomposed", or opset 20.`,
    );
  }
  return parsed;
}

/** Writes the tensors; gives the names they have in the file. */
function writeTensors(writer: GraphWriter, model: Model, { weights }: Options): ReadonlyMap<string, string> {
  const { graph, tensors } = model;
  const names = new Map<string, string>();
  const halves = weights === "float16" ? storedTensors(model, "float16") : undefined;
  for (const { name, value } of graph.tensors) {
    const tensor = tensors.get(name)!;
    const own = writer.fresh(name);
    names.set(name, own);
    const half = halves?.get(name)?.numbers.data as Uint16Array | undefined;
    if (half === undefined) {
      writer.alias(value, writer.initializer(tensorProto(own, tensor)));
      continue;
    }
    const stored = writer.initializer(float16Tensor(own, tensor.shape, half));
    writer.alias(value, writer.node(`${name}/Cast`, "Cast", [stored], { to: int(ElementType.FLOAT) }));
  }
  return names;
}

function writeNodes(writer: GraphWriter, { graph }: Model, { gelu, opset }: Options): void {
  const outputName = new Map<number, string>();
  for (const { name, value } of graph.outputs.toReversed()) outputName.set(value, name);
  const absorbed = absorbedNodes(graph);
  for (const node of graph.nodes) {
    if (absorbed.has(node)) continue;
    const rule = rules.get(node.operator.name);
    if (rule === undefined) throw notWritten(node);
    const outputs = node.outputs.map((id, i) => {
      const own = i === 0 ? node.name : `${node.name}/${i}`;
      const name = outputName.get(id) ?? writer.fresh(own);
      writer.alias(id, name);
      return name;
    });
    const call: NodeCall = {
      writer,
      name: node.name,
      node,
      graph,
      inputs: node.inputs.map((id) => writer.nameOf(id)),
      shapes: node.inputs.map((id) => graph.values[id]!.shape),
      outputs,
      outputShapes: node.outputs.map((id) => graph.values[id]!.shape),
      attributes: node.attributes,
      opset,
      gelu,
      emit: (opType, inputs, attributes) => writer.node(node.name, opType, inputs, attributes, outputs[0]),
    };
    rule(call);
  }
  // Outputs that are an input, a tensor, or another output's value.
  for (const { name, value } of graph.outputs) {
    if (writer.nameOf(value) !== name)
      writer.node(`${name}/Identity`, "Identity", [writer.nameOf(value)], {}, name);
  }
}

function notWritten({ name, operator }: Node): EspalierError {
  return new EspalierError(
    `node ${name}: operator ${operator.name} has no ONNX form (${[...rules.keys()].join(", ")} have one). Export the evaluation graph.`,
  );
}
