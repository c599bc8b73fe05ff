import type { TensorData } from "@espalier/core";
import { countElements, type DataType, isBatch, type Shape } from "@espalier/core/graph";

/** A node of TensorFlow's GraphDef, in its JSON form. */
export interface GraphDefNode {
  readonly name: string;
  readonly op: string;
  readonly input?: readonly string[];
  readonly attr: Readonly<Record<string, unknown>>;
}

const dtypes: Readonly<Record<DataType, string>> = { float32: "DT_FLOAT", int32: "DT_INT32" };

/** TensorFlow's name of a data type. */
export function dtypeName(dtype: DataType): string {
  return dtypes[dtype];
}

/** A shape in GraphDef's JSON; axes of the batch are open. */
export function shapeDef(shape: Shape): unknown {
  return { dim: shape.map((extent) => ({ size: isBatch(extent) ? "-1" : String(extent) })) };
}

/** Collects the nodes and constants of a GraphDef. Names are unique; equal small constants are shared. */
export class GraphDefBuilder {
  readonly nodes: GraphDefNode[] = [];
  readonly weights = new Map<string, TensorData>();
  readonly #names = new Map<string, number>();
  readonly #shared = new Map<string, string>();

  /** Adds a node and returns the name under which its output is read. */
  node(op: string, name: string, input: readonly string[] = [], attr: GraphDefNode["attr"] = {}): string {
    const unique = this.#unique(name);
    this.nodes.push({ name: unique, op, ...(input.length === 0 ? {} : { input }), attr });
    return unique;
  }

  input(name: string, dtype: DataType, shape: Shape): string {
    return this.node("Placeholder", name, [], {
      dtype: { type: dtypes[dtype] },
      shape: { shape: shapeDef(shape) },
    });
  }

  constant(name: string, tensor: TensorData): string {
    const type = dtypes[tensor.dtype];
    const attr = { dtype: { type }, value: { tensor: { dtype: type, tensorShape: shapeDef(tensor.shape) } } };
    const unique = this.node("Const", name, [], attr);
    this.weights.set(unique, tensor);
    return unique;
  }

  /** A constant float32 scalar. */
  scalar(value: number): string {
    return this.shared(`number ${value}`, { dtype: "float32", shape: [], data: Float32Array.of(value) });
  }

  /** Constant integers: a vector, or a matrix of a shape. */
  integers(values: readonly number[], shape: readonly number[] = [values.length]): string {
    return this.shared(`integers ${shape.join("x")} ${values.join()}`, {
      dtype: "int32",
      shape,
      data: Int32Array.from(values),
    });
  }

  /** A constant int32 scalar, such as an axis. */
  integer(value: number): string {
    return this.integers([value], []);
  }

  /** A constant that equal keys share. */
  shared(key: string, tensor: TensorData): string {
    const known = this.#shared.get(key);
    if (known !== undefined) return known;
    const name = this.constant("constant", tensor);
    this.#shared.set(key, name);
    return name;
  }

  /** GraphDef allows letters, digits and `_ . / -` in names, and no `:`. */
  #unique(name: string): string {
    const base = name.replaceAll(/[^A-Za-z0-9_./-]/g, "_").replace(/^[^A-Za-z0-9.]/, "n$&");
    const count = this.#names.get(base) ?? 0;
    this.#names.set(base, count + 1);
    return count === 0 ? base : this.#unique(`${base}_${count}`);
  }
}

/** Bytes of tensors one after the other. */
export function bytesOf(tensors: Iterable<TensorData>): Uint8Array {
  const all = [...tensors];
  const bytes = new Uint8Array(all.reduce((n, { shape }) => n + 4 * countElements(shape), 0));
  let at = 0;
  for (const { data } of all) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return bytes;
}
