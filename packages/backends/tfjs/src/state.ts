import { EspalierError, type Snapshot, type State, type TensorData, type Tensors } from "@espalier/core";
import type { Kind, RuntimeOptions } from "./options.ts";
import { activate, exclusively } from "./runtime.ts";
import type { Tensor, Tf } from "./tensorflow-js.ts";

/** Tensors that live in one TensorFlow.js backend. */
export class TfjsState implements State {
  readonly kind: Kind;
  readonly #options: RuntimeOptions;
  readonly #tensors = new Map<string, Tensor>();
  readonly #versions = new Map<string, number>();

  private constructor(kind: Kind, options: RuntimeOptions) {
    this.kind = kind;
    this.#options = options;
  }

  static create(kind: Kind, options: RuntimeOptions, tensors: Tensors): Promise<TfjsState> {
    return exclusively(async () => {
      const tf = await activate(kind, options);
      const state = new TfjsState(kind, options);
      for (const [name, tensor] of tensors) state.set(name, upload(tf, tensor));
      return state;
    });
  }

  get names(): readonly string[] {
    return [...this.#tensors.keys()];
  }

  /** The tensor itself, which still belongs to the state. */
  get(name: string): Tensor {
    const tensor = this.#tensors.get(name);
    if (tensor === undefined) throw new EspalierError(`the state has no tensor "${name}".`);
    return tensor;
  }

  shape(name: string): readonly number[] | undefined {
    return this.#tensors.get(name)?.shape;
  }

  /** Takes over a tensor, and returns the one it replaces. */
  set(name: string, tensor: Tensor): void {
    this.#tensors.get(name)?.dispose();
    this.#tensors.set(name, tensor);
    this.#versions.set(name, this.version(name) + 1);
  }

  version(name: string): number {
    return this.#versions.get(name) ?? 0;
  }

  read(names: readonly string[] = this.names): Promise<Tensors> {
    return exclusively(async () => {
      await activate(this.kind, this.#options);
      const result = new Map<string, TensorData>();
      for (const name of names) result.set(name, await download(this.get(name)));
      return result;
    });
  }

  write(tensors: Tensors): Promise<void> {
    return exclusively(async () => {
      const tf = await activate(this.kind, this.#options);
      for (const [name, { shape, dtype }] of tensors) {
        const old = this.get(name);
        if (old.shape.join() !== shape.join() || old.dtype !== dtype) {
          throw new EspalierError(
            `tensor "${name}" is ${old.dtype} [${old.shape.join(", ")}], it cannot become ${dtype} [${shape.join(", ")}].`,
          );
        }
      }
      for (const [name, tensor] of tensors) this.set(name, upload(tf, tensor));
    });
  }

  snapshot(names: readonly string[] = this.names): Promise<Snapshot> {
    return exclusively(async () => {
      const tf = await activate(this.kind, this.#options);
      // Clones share their data until one side is replaced.
      const kept = new Map(names.map((name) => [name, tf.clone(this.get(name))]));
      const dispose = () => {
        for (const tensor of kept.values()) tensor.dispose();
        kept.clear();
      };
      return {
        restore: () =>
          exclusively(async () => {
            await activate(this.kind, this.#options);
            for (const [name, tensor] of kept) this.set(name, tf.clone(tensor));
          }),
        dispose,
        [Symbol.dispose]: dispose,
      };
    });
  }

  dispose(): void {
    for (const tensor of this.#tensors.values()) tensor.dispose();
    this.#tensors.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** A copy of data as a tensor. */
export function upload(tf: Tf, { data, shape, dtype }: TensorData): Tensor {
  return tf.tensor(data.slice(), [...shape], dtype);
}

/** A copy of a tensor as data. */
export async function download(tensor: Tensor): Promise<TensorData> {
  const data = await tensor.data();
  const dtype = tensor.dtype === "int32" ? "int32" : "float32";
  return {
    dtype,
    shape: [...tensor.shape],
    data: dtype === "int32" ? Int32Array.from(data) : Float32Array.from(data),
  };
}
