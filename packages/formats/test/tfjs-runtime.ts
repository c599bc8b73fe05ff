import type { Tensors } from "@espalier/core";
import * as tf from "@tensorflow/tfjs";

interface Manifest {
  readonly format: string;
  readonly modelTopology: object;
  readonly signature: object;
  readonly weightsManifest: readonly { paths: string[]; weights: tf.io.WeightsManifestEntry[] }[];
}

/** As a page would load it from its files; on the CPU. */
export async function loadTfjs(files: ReadonlyMap<string, Uint8Array>): Promise<tf.GraphModel> {
  await tf.setBackend("cpu");
  const json = JSON.parse(new TextDecoder().decode(files.get("model.json"))) as Manifest;
  const [group] = json.weightsManifest;
  const shards = group!.paths.map((path) => files.get(path)!);
  const weightData = await new Blob(shards as Uint8Array<ArrayBuffer>[]).arrayBuffer();
  const { modelTopology, signature, format } = json;
  return tf.loadGraphModel(
    tf.io.fromMemory({ modelTopology, signature, format, weightSpecs: group!.weights, weightData }),
  );
}

/** All outputs of a model, by name. */
export async function runTfjs(model: tf.GraphModel, inputs: Tensors): Promise<Tensors> {
  const given = Object.fromEntries(
    [...inputs].map(([name, { shape, data, dtype }]) => [name, tf.tensor(data, [...shape], dtype)]),
  );
  const names = model.outputNodes;
  const outputs = [model.execute(given, names)].flat() as tf.Tensor[];
  const results = await Promise.all(
    outputs.map(async (output, i) => {
      const data = (await output.data()) as Float32Array | Int32Array;
      return [names[i]!, { dtype: output.dtype as "float32" | "int32", shape: output.shape, data }] as const;
    }),
  );
  tf.dispose([...outputs, ...Object.values(given)]);
  return new Map(results);
}
