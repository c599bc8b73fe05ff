import {
  type AttributeProto,
  TensorProto_DataType as ElementType,
  AttributeProto_AttributeType as Type,
} from "onnx-buf";
import { UnreadableError } from "./errors.ts";
import type { Known } from "./known.ts";
import { readTensor } from "./tensor-data.ts";
import { shown } from "./text.ts";

/**
 * Attributes of one node, by name. Throws an UnreadableError if one is missing or has another type. Records which were
 * read, so that none that changes the result is ignored by a rule that does not know it.
 */
export class Attributes {
  readonly #byName: ReadonlyMap<string, AttributeProto>;
  readonly #read = new Set<string>();

  constructor(attributes: readonly AttributeProto[]) {
    this.#byName = new Map(attributes.map((attribute) => [attribute.name, attribute]));
  }

  has(name: string): boolean {
    return this.#byName.has(name);
  }

  get(name: string): AttributeProto | undefined {
    this.#read.add(name);
    return this.#byName.get(name);
  }

  /** Throws an UnreadableError for an attribute that nothing has read, unless its value is without effect. */
  checkAllRead(): void {
    for (const attribute of this.#byName.values()) {
      if (this.#read.has(attribute.name) || isWithoutEffect(attribute)) continue;
      throw unsupported(attribute);
    }
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
    const attribute = this.get(name);
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

/** The error for an attribute that would change the result in a way that is not known. */
export function unsupported(attribute: AttributeProto): UnreadableError {
  const name = shown(attribute.name).slice(1, -1);
  return new UnreadableError(`its attribute ${name}${shownValue(attribute)} is not supported`);
}

/** ONNX's defaults of attributes that no rule reads: only other values change anything. */
const defaults: Readonly<Record<string, number | string>> = {
  antialias: 0,
  input_forget: 0,
  keep_aspect_ratio_policy: "stretch",
  select_last_index: 0,
  softmax_precision: ElementType.FLOAT,
  stash_type: ElementType.FLOAT,
};

/**
 * Attributes that change no output that can be read: of types, modes and outputs that are refused, of activations that
 * have no parameters, of empty lists, of an order that is left open, and of random numbers that are not drawn.
 */
const ineffective = new Set([
  ...["dtype", "extrapolation_value"],
  ...["activation_alpha", "activation_beta", "qk_matmul_output_mode", "round_mode", "saturate", "seed"],
  ...["sorted", "storage_order"],
]);

function isWithoutEffect(attribute: AttributeProto): boolean {
  const { name } = attribute;
  return ineffective.has(name) || (Object.hasOwn(defaults, name) && defaults[name] === plainValue(attribute));
}

/** The value of an attribute that is one number or a text. */
function plainValue({ type, i, f, s }: AttributeProto): number | string | undefined {
  if (type === Type.STRING || (type === Type.UNDEFINED && s.length > 0)) return new TextDecoder().decode(s);
  if (type === Type.FLOAT || (type === Type.UNDEFINED && f !== 0)) return shortest(f);
  return type === Type.INT || type === Type.UNDEFINED ? Number(i) : undefined;
}

/** The value of an attribute in a message: ` = 3`, or nothing if it is too long for one. */
function shownValue(attribute: AttributeProto): string {
  const value = plainValue(attribute);
  if (value !== undefined) return ` = ${typeof value === "string" ? shown(value) : value}`;
  const list =
    attribute.type === Type.INTS ? attribute.ints : attribute.type === Type.FLOATS ? attribute.floats : [];
  return list.length === 0 ? "" : ` = [${list.slice(0, 8).join(", ")}${list.length > 8 ? ", …" : ""}]`;
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
