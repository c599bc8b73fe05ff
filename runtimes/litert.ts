import type { Tensors } from "@espalier/core";
import type { CompiledModel } from "@litertjs/core";

/** The module of LiteRT.js, its engine loaded. */
export type Litert = typeof import("@litertjs/core");

/** A file in LiteRT. */
export interface LitertModel {
  readonly model: CompiledModel;
  /** All outputs by name. */
  run(inputs: Tensors): Promise<Tensors>;
  dispose(): void;
}

/** Loads a `.tflite` file for one thread of the processor. */
export async function openLitert({ loadAndCompile, Tensor }: Litert, file: Uint8Array): Promise<LitertModel> {
  const model = await loadAndCompile(file, { accelerator: "wasm" });
  return {
    model,
    async run(inputs) {
      const given = Object.fromEntries(
        [...inputs].map(([name, { data, shape }]) => [name, new Tensor(data, [...shape])]),
      );
      const results = Object.entries(await model.run(given));
      const outputs = results.map(([name, tensor]) => {
        const { dtype, layout } = tensor.type;
        const data = tensor.toTypedArray().slice() as Float32Array | Int32Array;
        tensor.delete();
        return [name, { dtype: dtype as "float32" | "int32", shape: [...layout.dimensions], data }] as const;
      });
      for (const tensor of Object.values(given)) tensor.delete();
      return new Map(outputs);
    },
    dispose: () => model.delete(),
  };
}
