import { loadAndCompile, loadLiteRt, Tensor } from "@litertjs/core";

/** Functions of the page that its test calls. */
export interface Offers {
  /** Runs a file; inputs by name, and all outputs by name. */
  forecast(
    url: string,
    inputs: readonly { readonly key: string; readonly shape: number[]; readonly data: readonly number[] }[],
  ): Promise<Record<string, number[]>>;
}

await loadLiteRt("/wasm/", { threads: false });

const forecast: Offers["forecast"] = async (url, inputs) => {
  const model = await loadAndCompile(url, { accelerator: "wasm" });
  const outputs = await model.run(
    Object.fromEntries(
      inputs.map(({ key, shape, data }) => [key, new Tensor(Float32Array.from(data), shape)]),
    ),
  );
  return Object.fromEntries(
    Object.entries(outputs).map(([name, tensor]) => [name, [...tensor.toTypedArray()]]),
  );
};

Object.assign(globalThis, { forecast });
