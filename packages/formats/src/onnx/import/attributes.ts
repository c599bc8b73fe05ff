import { type AttributeProto, AttributeProto_AttributeType as Type } from "onnx-buf";
import { UnreadableError } from "./errors.ts";
import type { Known } from "./known.ts";
import { readTensor } from "./tensor-data.ts";
import { shown } from "./text.ts";

/** Attributes of one node, by name. Throws an UnreadableError if one is missing or has another type. */
export class Attributes {
  readonly #byName: ReadonlyMap<string, AttributeProto>;

  constructor(attributes: readonly AttributeProto[]) {
    this.#byName = new Map(attributes.map((attribute) => [attribute.name, attribute]));
  }

  has(name: string): boolean {
    return this.#byName.has(name);
  }

  get(name: string): AttributeProto | undefined {
    return this.#byName.get(name);
  }

  int(name: string, otherwise?: number): number {
    const attribute = this.#find(name, Type.INT, otherwise === undefined);
    return attribute === undefined ? otherwise! : Number(attribute.i);
  }

  ints(name: string): number[] | undefined {
    return this.#find(name, Type.INTS, false)?.ints.map(Number);
  }

  /** The shortest decimal that is the same float32: 1e-5 rather than 9.99999974737875e-6. */
  float(name: string, otherwise?: number): number {
    const attribute = this.#find(name, Type.FLOAT, otherwise === undefined);
    return attribute === undefined ? otherwise! : shortest(attribute.f);
  }

  floats(name: string): number[] | undefined {
    return this.#find(name, Type.FLOATS, false)?.floats;
  }

  text(name: string, otherwise: string): string {
    const attribute = this.#find(name, Type.STRING, false);
    return attribute === undefined ? otherwise : new TextDecoder().decode(attribute.s);
  }

  texts(name: string): string[] | undefined {
    return this.#find(name, Type.STRINGS, false)?.strings.map((bytes) => new TextDecoder().decode(bytes));
  }

  tensor(name: string): Known | undefined {
    const attribute = this.#find(name, Type.TENSOR, false);
    return attribute?.t && readTensor(attribute.t);
  }

  #find(name: string, type: Type, needed: boolean): AttributeProto | undefined {
    const attribute = this.#byName.get(name);
    if (attribute === undefined) {
      if (needed) throw new UnreadableError(`its attribute ${name} is missing`);
      return undefined;
    }
    // Old files omit the type.
    if (attribute.type !== type && attribute.type !== Type.UNDEFINED)
      throw new UnreadableError(`its attribute ${shown(name)} has another type than in ONNX`);
    return attribute;
  }
}

/** The decimal with the fewest digits that is the same float32. */
export function shortest(value: number): number {
  if (!Number.isFinite(value)) return value;
  for (let digits = 1; digits < 9; digits++) {
    const candidate = Number(value.toPrecision(digits));
    if (Math.fround(candidate) === Math.fround(value)) return candidate;
  }
  return value;
}
