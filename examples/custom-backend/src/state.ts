import { EspalierError, type Snapshot, type State, type TensorData, type Tensors } from "@espalier/core";

/** Tensors in this process's memory. An update puts a new array in place of the old one; none is changed. */
export class PlainState implements State {
  readonly #tensors = new Map<string, TensorData>();
  readonly #versions = new Map<string, number>();

  constructor(tensors: Tensors) {
    for (const [name, tensor] of tensors) this.put(name, { ...tensor, data: tensor.data.slice() });
  }

  get names(): readonly string[] {
    return [...this.#tensors.keys()];
  }

  tensor(name: string): TensorData {
    const tensor = this.#tensors.get(name);
    if (tensor === undefined) throw new EspalierError(`the state has no tensor "${name}".`);
    return tensor;
  }

  shapeOf(name: string): readonly number[] | undefined {
    return this.#tensors.get(name)?.shape;
  }

  put(name: string, tensor: TensorData): void {
    this.#tensors.set(name, tensor);
    this.#versions.set(name, this.version(name) + 1);
  }

  version(name: string): number {
    return this.#versions.get(name) ?? 0;
  }

  async read(names = this.names): Promise<Tensors> {
    return new Map(
      names.map((name) => {
        const tensor = this.tensor(name);
        return [name, { ...tensor, data: tensor.data.slice() }];
      }),
    );
  }

  async write(tensors: Tensors): Promise<void> {
    for (const [name, { shape }] of tensors) {
      const before = this.tensor(name).shape;
      if (before.join() !== shape.join())
        throw new EspalierError(
          `tensor "${name}" has shape [${before.join(", ")}], it cannot become [${shape.join(", ")}].`,
        );
    }
    for (const [name, tensor] of tensors) this.put(name, { ...tensor, data: tensor.data.slice() });
  }

  async snapshot(names = this.names): Promise<Snapshot> {
    const kept = new Map(names.map((name) => [name, this.tensor(name)]));
    return {
      restore: async () => {
        for (const [name, tensor] of kept) this.put(name, tensor);
      },
      dispose: () => kept.clear(),
      [Symbol.dispose]: () => kept.clear(),
    };
  }

  dispose(): void {
    this.#tensors.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
