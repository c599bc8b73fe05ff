import { fromBinary } from "@bufbuild/protobuf";
import { EspalierError } from "@espalier/core";
import { type GraphProto, type ModelProto, ModelProtoSchema } from "onnx-buf";
import { shown } from "./text.ts";

/** Supported versions of ONNX's operators. */
export const opsets = { oldest: 13, newest: 28 } as const;

/** A file's message, decoded. */
export interface OnnxFile {
  readonly model: ModelProto;
  readonly graph: GraphProto;
  readonly opset: number;
}

/**
 * Decodes a file and checks its structure. Throws an EspalierError if it is not an ONNX model, or has an unsupported
 * version.
 */
export function decode(bytes: Uint8Array): OnnxFile {
  let model: ModelProto;
  try {
    model = fromBinary(ModelProtoSchema, bytes, { readUnknownFields: false });
  } catch (error) {
    const why = error instanceof Error ? error.message.replaceAll(/\s+/g, " ").slice(0, 120) : "unreadable";
    throw new EspalierError(`not an ONNX model, or damaged (${why}).`);
  }
  const { graph, opsetImport } = model;
  if (graph === undefined || opsetImport.length === 0)
    throw new EspalierError("not an ONNX model, or damaged (it has no graph or no operator set).");
  const standard = opsetImport.find(({ domain }) => isStandard(domain));
  const opset = Number(standard?.version ?? 0);
  if (!(opset >= opsets.oldest && opset <= opsets.newest)) {
    const named =
      standard === undefined ? `operators of ${shown(opsetImport[0]!.domain)} only` : `opset ${opset}`;
    throw new EspalierError(
      `it uses ${named}, but only opset ${opsets.oldest} to ${opsets.newest} can be read. Export it with opset_version=20.`,
    );
  }
  if (graph.sparseInitializer.length > 0)
    throw new EspalierError(
      `initialiser ${shown(graph.sparseInitializer[0]!.values?.name ?? "")} is sparse, which cannot be read.`,
    );
  return { model, graph, opset };
}

/** Whether a domain is that of ONNX's own operators. */
export function isStandard(domain: string): boolean {
  return domain === "" || domain === "ai.onnx";
}
