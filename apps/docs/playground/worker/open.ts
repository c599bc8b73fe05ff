import { EspalierError, type Model } from "@espalier/core";
import type { ModelFactory } from "@espalier/core/graph";
import { decodeModelOnDemand, readCheckpoint, readOnnx, readSafetensors } from "@espalier/formats";
import { findModel, inferOptions, iTransformer, models } from "@espalier/models";
import type { Candidate, ModelSource, WeightsOf } from "../protocol.ts";

/** Bytes of a file that comes with the page. */
export type Fetch = (url: string) => Promise<Uint8Array>;

/** Largest file that is opened: a page has little memory. */
const largest = 512 * 2 ** 20;

/** Opens a model that comes with the page, or a file's. Throws an EspalierError for a file that is none. */
export async function openModel(source: ModelSource, fetch: Fetch): Promise<Model> {
  if ("shipped" in source) return openShipped(source, fetch);
  const { file, weights } = source;
  const bytes = await bytesOf(source);
  if (weights !== undefined) return loadWeights(file, bytes, weights);
  if (/\.onnx$/i.test(file)) return readOnnx(bytes, { name: file, openBatch: true });
  return decodeModelOnDemand(bytes, file);
}

/** The content of a file of the visitor's. Throws an EspalierError for one that a page has no room for. */
export async function bytesOf({
  file,
  content,
}: {
  readonly file: string;
  readonly content: Blob;
}): Promise<Uint8Array> {
  if (content.size > largest) {
    const size = Math.round(content.size / 2 ** 20);
    throw new EspalierError(
      `${file} has ${size} MiB; this page opens up to ${largest / 2 ** 20}. Use the espalier command.`,
    );
  }
  return new Uint8Array(await content.arrayBuffer());
}

async function openShipped(
  { shipped, origin }: Extract<ModelSource, { shipped: string }>,
  fetch: Fetch,
): Promise<Model> {
  if ("seed" in origin) return iTransformer(origin.options).initialize(origin.seed);
  return readOnnx(await fetch(origin.url), { name: shipped });
}

/**
 * The architectures whose names and shapes a file of weights has; undefined for a file that says itself what model it is.
 * Throws an EspalierError for weights of none that is known.
 */
export async function candidatesOf(file: string, bytes: Uint8Array): Promise<Candidate[] | undefined> {
  if (isModelFile(file, bytes)) return undefined;
  const tensors = await readCheckpoint(bytes, { name: file });
  const candidates = [...models.keys()].flatMap((model): Candidate[] => {
    try {
      const { seen, needed } = inferOptions(model, tensors);
      return Object.keys(seen).length === 0 ? [] : [{ model, needed }];
    } catch (error) {
      if (error instanceof EspalierError) return [];
      throw error;
    }
  });
  if (candidates.length > 0) return candidates;
  throw new EspalierError(
    `${file} holds weights, but of none of ${[...models.keys()].join(", ")}. Export the model as ONNX, and drop that.`,
  );
}

function isModelFile(file: string, bytes: Uint8Array): boolean {
  if (/\.onnx$/i.test(file)) return true;
  // A safetensors file begins with the length of a header in JSON.
  return bytes[8] === 0x7b && readSafetensors(bytes, { name: file }).metadata.format === "espalier";
}

async function loadWeights(file: string, bytes: Uint8Array, { model, options }: WeightsOf): Promise<Model> {
  const tensors = await readCheckpoint(bytes, { name: file });
  const { seen } = inferOptions(model, tensors);
  const factory = findModel(model) as ModelFactory<unknown>;
  try {
    return factory({ ...seen, ...options }).load(tensors);
  } catch (error) {
    const { issues } = error as { readonly issues?: readonly { path: PropertyKey[]; message: string }[] };
    const [issue] = issues ?? [];
    if (issue === undefined && !(error instanceof EspalierError)) throw error;
    const why = issue === undefined ? (error as Error).message : `${issue.path.join(".")} ${issue.message}`;
    throw new EspalierError(`${file}: ${why}`);
  }
}
