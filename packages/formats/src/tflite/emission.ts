import type { TensorData } from "@espalier/core";
import {
  type Attributes,
  type AttributesNamed,
  type OperatorName as CoreOperator,
  countElements,
  type DataType,
  type Node,
} from "@espalier/core/graph";
import type { FileOperator, FileTensor } from "./file.ts";
import type { OperatorName, TensorType } from "./schema.ts";

/** A tensor of the file that is being written. */
export interface Part {
  readonly number: number;
  readonly shape: readonly number[];
  readonly type: TensorType;
  /** Its content, if it is a constant. */
  readonly data?: Float32Array | Int32Array;
}

/** Collects the tensors and operators of a file; equal small constants are shared. */
export class FileParts {
  readonly tensors: FileTensor[] = [];
  readonly operators: FileOperator[] = [];
  readonly #shared = new Map<string, Part>();

  input(name: string, type: DataType, shape: readonly number[]): Part {
    return this.#add({ name, type, shape });
  }

  constant(name: string, { dtype, shape, data }: TensorData): Part {
    return this.#add({ name, type: dtype, shape, data });
  }

  /** Constant integers, by default a vector of them. */
  integers(values: readonly number[], shape: readonly number[] = [values.length]): Part {
    return this.shared(`integers ${shape.join("x")} ${values.join()}`, {
      dtype: "int32",
      shape,
      data: Int32Array.from(values),
    });
  }

  /** A float32 number that broadcasts. */
  scalar(value: number, rank = 0): Part {
    const shape = Array.from({ length: Math.min(rank, 1) }, () => 1);
    return this.shared(`number ${shape} ${value}`, { dtype: "float32", shape, data: Float32Array.of(value) });
  }

  /** A constant that equal keys share. */
  shared(key: string, tensor: TensorData): Part {
    const known = this.#shared.get(key);
    if (known !== undefined) return known;
    const made = this.constant(key, tensor);
    this.#shared.set(key, made);
    return made;
  }

  /** Adds an operator with outputs of these types. */
  call(
    operator: OperatorName,
    name: string,
    inputs: readonly (Part | undefined)[],
    outputs: readonly { readonly type: TensorType; readonly shape: readonly number[] }[],
    options: FileOperator["options"] = {},
  ): readonly Part[] {
    const parts = outputs.map(({ type, shape }) => this.#add({ name, type, shape }));
    this.operators.push({
      name: operator,
      inputs: inputs.map((input) => input?.number ?? -1),
      outputs: parts.map(({ number }) => number),
      options,
    });
    return parts;
  }

  #add(tensor: FileTensor): Part {
    const number = this.tensors.push(tensor) - 1;
    const { shape, type, data } = tensor;
    return { number, shape, type, ...(data && { data }) };
  }
}

/** One call of an operator of core that is to be said in LiteRT's operators. */
export interface Emission<A extends Attributes = Attributes> {
  readonly file: FileParts;
  readonly node: Node;
  readonly attributes: A;
  readonly inputs: readonly Part[];
  /** Shapes of the outputs. */
  readonly outputs: readonly (readonly number[])[];
  readonly batch: number;
}

/** Says a call; returns its output, or all its outputs. */
export type Emit<A extends Attributes = Attributes> = (call: Emission<A>) => Part | readonly Part[];
/** How operators are said, each with its own attributes. */
export type Emits = { readonly [N in CoreOperator]?: Emit<AttributesNamed<N>> };

/** Short forms of common calls, with shapes worked out. */
export function drawing({ file, node }: Pick<Emission, "file" | "node">) {
  /** A call with one output. */
  const one = (
    operator: OperatorName,
    inputs: readonly (Part | undefined)[],
    shape: readonly number[],
    options: FileOperator["options"] = {},
    type: TensorType = inputs[0]!.type,
  ): Part => file.call(operator, node.name, inputs, [{ type, shape }], options)[0]!;

  const reshape = (x: Part, shape: readonly number[]): Part =>
    sameExtents(x.shape, shape) ? x : one("RESHAPE", [x, file.integers(shape)], shape);

  const transpose = (x: Part, perm: readonly number[]): Part =>
    perm.every((axis, i) => axis === i)
      ? x
      : one(
          "TRANSPOSE",
          [x, file.integers(perm)],
          perm.map((axis) => x.shape[axis]!),
        );

  const binary = (operator: OperatorName, a: Part, b: Part, type?: TensorType): Part =>
    one(operator, [a, b], broadcast(a.shape, b.shape), {}, type ?? a.type);

  const slice = (x: Part, axis: number, start: number, end: number): Part => {
    if (start === 0 && end === x.shape[axis]) return x;
    const begin = x.shape.map((_, i) => (i === axis ? start : 0));
    const size = x.shape.map((extent, i) => (i === axis ? end - start : extent));
    return one("SLICE", [x, file.integers(begin), file.integers(size)], size);
  };

  /** XNNPACK joins up to five tensors at a time. */
  const concat = (parts: readonly Part[], axis: number): Part => {
    if (parts.length === 1) return parts[0]!;
    if (parts.length > mostJoined) {
      const size = mostJoined ** Math.ceil(Math.log(parts.length) / Math.log(mostJoined) - 1);
      const groups = Array.from({ length: Math.ceil(parts.length / size) }, (_, i) =>
        concat(parts.slice(i * size, (i + 1) * size), axis),
      );
      return concat(groups, axis);
    }
    const extent = parts.reduce((sum, { shape }) => sum + shape[axis]!, 0);
    return one("CONCATENATION", parts, parts[0]!.shape.with(axis, extent), { axis });
  };

  /** Repeats axes of extent 1: a product with ones, which XNNPACK has, unlike BROADCAST_TO. */
  const expand = (x: Part, shape: readonly number[]): Part => {
    const own = [...Array.from({ length: shape.length - x.shape.length }, () => 1), ...x.shape];
    const ones = shape.map((extent, axis) => (own[axis] === extent ? 1 : extent));
    if (ones.every((extent) => extent === 1)) return reshape(x, shape);
    const data =
      x.type === "float32" ? new Float32Array(countElements(ones)) : new Int32Array(countElements(ones));
    const factor = file.shared(`ones ${x.type} ${ones.join("x")}`, {
      dtype: x.type as DataType,
      shape: ones,
      data: data.fill(1),
    });
    return one("MUL", [x, factor], shape);
  };

  /** Products of rows with a matrix [outputs, inputs]. */
  const fullyConnected = (x: Part, weight: Part, bias?: Part): Part =>
    one("FULLY_CONNECTED", [x, weight, bias], [...x.shape.slice(0, -1), weight.shape[0]!], { keepDims: 1 });

  const reduce = (operator: "SUM", x: Part, axes: readonly number[], keepDims: boolean): Part =>
    one(
      operator,
      [x, file.integers(axes)],
      x.shape.flatMap((extent, axis) => (axes.includes(axis) ? (keepDims ? [1] : []) : [extent])),
      { keepDims: keepDims ? 1 : 0 },
    );

  return { one, reshape, transpose, binary, slice, concat, expand, fullyConnected, reduce };
}

const mostJoined = 4;

export function sameExtents(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((extent, i) => extent === b[i]);
}

function broadcast(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  const at = (shape: readonly number[], axis: number) => shape[axis - rank + shape.length] ?? 1;
  return Array.from({ length: rank }, (_, axis) => (at(a, axis) === 1 ? at(b, axis) : at(a, axis)));
}
