import { EspalierError, type Model, type ModelFactory } from "@espalier/core";
import { decodeModel, readCheckpoint, readSafetensors } from "@espalier/formats";
import { findModel, inferOptions, iTransformer, models } from "@espalier/models";
import { shippedModels } from "../catalogue.ts";
import type { Candidate, ModelSource, WeightsOf } from "../protocol.ts";

/** Bytes of a file that comes with the page. */
export type Fetch = (url: URL) => Promise<Uint8Array>;

/** Largest file that is opened: a page has little memory. */
const largest = 512 * 2 ** 20;

/** Opens a model that comes with the page, or a file's. Throws an EspalierError for a file that is none. */
export async function openModel(source: ModelSource, fetch: Fetch): Promise<Model> {
  if ("shipped" in source) return openShipped(source.shipped, fetch);
  const { file, bytes, weights } = source;
  if (bytes.length > largest) {
    throw new EspalierError(`${file} has ${Math.round(bytes.length / 2 ** 20)} MiB; this page opens up to 512. Use the espalier command.`);
  }
  if (weights !== undefined) return loadWeights(file, bytes, weights);
  if (/\.onnx$/i.test(file)) {
    const { readOnnx } = await import("@espalier/formats");
    return readOnnx(bytes, { name: file });
  }
  return decodeModel(bytes, file);
}

async function openShipped(id: string, fetch: Fetch): Promise<Model> {
  const shipped = shippedModels.find((model) => model.id === id);
  if (shipped === undefined) throw new EspalierError(`no model "${id}" comes with this page.`);
  const { origin } = shipped;
  if ("seed" in origin) return iTransformer(origin.options).initialize(origin.seed);
  const { readOnnx } = await import("@espalier/formats");
  return readOnnx(await fetch(origin.url), { name: id });
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
