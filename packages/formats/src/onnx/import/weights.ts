import { EspalierError, type TensorData } from "@espalier/core";
import {
  type Builder,
  type DataType,
  swapAxes,
  type TensorRole,
  type Value,
  type ValueId,
} from "@espalier/core/graph";
import { matchesAny } from "@espalier/core/pruning";
import { type Known, plainNumbers, type Source, scalar } from "./known.ts";
import { inOtherLayer, isMadeUp } from "./names.ts";
import { type GuessedRoles, type Role, type RoleOptions, roleOf, type Use } from "./roles.ts";

interface Drawn {
  readonly name: string;
  readonly value: Value;
  readonly role: TensorRole;
  /** The initialiser that it was made from, and its use. */
  readonly source: string;
  readonly use: Use;
}

/** The tensors of the imported model: decides which numbers of the file become one tensor, its name and its role. */
export class Weights {
  readonly tensors = new Map<string, TensorData>();
  /** Numbers of scalar constants, for recognising patterns. */
  readonly scalars = new Map<ValueId, number>();
  /** Position of a tensor's initialiser in the file, by the tensor's name. */
  readonly order = new Map<string, number>();
  readonly #b: Builder;
  readonly #options: RoleOptions;
  readonly #reserved: ReadonlySet<string>;
  readonly #names = new Map<ValueId, string>();
  /** Roles of tensors; a use that tells one outweighs those that do not. */
  readonly #guesses = new Map<ValueId, Role>();
  /** Names that roles were decided for. */
  readonly #seen = new Set<string>();
  readonly #integers = new Map<number, Value>();
  /** Scalar initialisers. */
  readonly #numbers = new Map<string, Value>();
  readonly #drawn = new Map<string, Drawn[]>();
  /** Tensors by the sum of their elements, which does not depend on the order. */
  readonly #bySum = new Map<number, Drawn[]>();

  /** `reserved`: names of the file's initialisers, which derived names must avoid. */
  constructor(b: Builder, options: RoleOptions, reserved: ReadonlySet<string>) {
    this.#b = b;
    this.#options = options;
    this.#reserved = reserved;
  }

  /** Whether the file gives the roles of its tensors; if so, it uses the model's names. */
  get rolesAreTold(): boolean {
    return this.#options.roles !== undefined;
  }

  /** Whether an array becomes a tensor when it meets computed values, rather than numbers of a constant computation. */
  isWeight({ kind, source, shape, data }: Known): boolean {
    if (source === undefined || kind !== "float") return false;
    const role = this.#options.roles?.get(source.name);
    if (this.rolesAreTold) return role !== undefined && role !== "constant";
    if (matchesAny(this.#options.trainable, source.name)) return true;
    return shape.length > 0 && !(data.length === 1 && isMadeUp(source.name));
  }

  /** Whether an array is an untrained table, of which only the part that is read has to be kept. */
  isTable(known: Known): boolean {
    const { source, kind } = known;
    if (source === undefined || kind !== "float" || this.rolesAreTold || !this.isWeight(known)) return false;
    return roleOf(known, source, "operand", this.#options).role === "buffer";
  }

  /** Converts a known array to a value of the drawing. `b` draws the transpose of a restored layout. */
  lift(b: Builder, known: Known, use: Use): Value {
    const { source } = known;
    // Truth values are ones and zeros.
    if (known.kind === "bool") return this.lift(b, { ...known, kind: "float" }, use);
    if (source === undefined) return this.#constant(known, use.name ?? "constant");
    if (known.shape.length === 0 && !this.isWeight(known)) return this.#scalar(known, source);
    const restored = this.#restored(known, source, use);
    const names = [source.name, ...(restored === undefined ? [] : [restored])];
    const { role, guessed } = roleOf(known, source, use.as, this.#options, names);
    for (const name of names) this.#seen.add(name);
    const transposed = restored !== undefined && use.restore === true && known.shape.length === 2;
    const laid = transposed ? transposedKnown(known) : known;
    const tensor = this.#tensor(b, laid, { source, role, own: restored ?? source.name }, use);
    if (this.#guesses.get(tensor.id)?.guessed !== false) this.#guesses.set(tensor.id, { role, guessed });
    return transposed ? swapAxes(b, tensor, 0, 1) : tensor;
  }

  /** A name for a weight that has lost its own. */
  #restored(known: Known, source: Source, { name }: Use): string | undefined {
    if (this.#options.roles !== undefined || !isMadeUp(source.name) || known.kind !== "float")
      return undefined;
    return this.#free(name);
  }

  /**
   * The tensor for one use of an initialiser. Uses of one initialiser, and initialisers with equal numbers that
   * exporters created, share a tensor, unless names show that the exporter merged two weights.
   */
  #tensor(
    b: Builder,
    known: Known,
    { source, role, own }: { readonly source: Source; readonly role: TensorRole; readonly own: string },
    use: Use,
  ): Value {
    const key = `${source.name} ${source.part ?? ""} ${role} ${known.shape.join()}`;
    const drawn = this.#drawn.get(key) ?? [];
    this.#drawn.set(key, drawn);
    const [first] = drawn;
    const copy = first && this.#copyName(first, known, own, use);
    const there = copy === undefined ? first : drawn.find(({ name }) => name === copy);
    if (there !== undefined) return there.value;
    const sum = first === undefined && !this.rolesAreTold ? sumOfBits(known) : undefined;
    const alike = (this.#bySum.get(sum ?? Number.NaN) ?? []).filter((one) => one.role === role);
    for (const one of alike) {
      const value = this.#equal(b, one, known, { source, own }, use);
      if (value === undefined) continue;
      drawn.push({ ...one, value });
      return value;
    }
    const unique = this.#unused(copy ?? own);
    const value = this.#add(unique, role, known, source.order);
    const made: Drawn = { name: unique, value, role, source: source.name, use };
    drawn.push(made);
    if (sum !== undefined) this.#bySum.set(sum, [...(this.#bySum.get(sum) ?? []), made]);
    return value;
  }

  /** The name of the other weight that a further use of an initialiser stands for; undefined if it is the same one. */
  #copyName(first: Drawn, known: Known, own: string, use: Use): string | undefined {
    if (this.rolesAreTold) return undefined;
    const { as, name, module = "" } = use;
    if (module !== "") {
      const layered = this.#free(inOtherLayer(first.name, module));
      if (layered !== undefined) return layered;
      const others = !first.name.startsWith(`${module}.`);
      if (as !== "operand" && others && known.data.length > 1 && isUniform(known)) return this.#free(name);
    }
    return isCopy(first, own, use) ? own : undefined;
  }

  /** An existing tensor with these numbers, in their order or transposed, as a value; undefined if there is none. */
  #equal(
    b: Builder,
    one: Drawn,
    known: Known,
    { source, own }: { readonly source: Source; readonly own: string },
    use: Use,
  ): Value | undefined {
    if (isUniform(known) || isCopy(one, own, use)) return undefined;
    if (!isMadeUp(source.name) && !isMadeUp(one.source)) return undefined;
    const there = this.tensors.get(one.name)!;
    if (sameNumbers(known, there)) return this.#b.tensorNamed(one.name);
    const turned = known.shape.length === 2 && sameNumbers(transposedKnown(known), there);
    return turned ? swapAxes(b, this.#b.tensorNamed(one.name)!, 0, 1) : undefined;
  }

  /** The tensors whose roles nothing told, of those that `kept` has. */
  guessed(kept: ReadonlySet<string>): GuessedRoles {
    const named = (wanted: TensorRole) =>
      [...this.#guesses].flatMap(([id, { role, guessed }]) => {
        const name = this.#names.get(id);
        return guessed && role === wanted && name !== undefined && kept.has(name) ? [name] : [];
      });
    return { trainable: named("trainable"), buffers: named("buffer") };
  }

  /** Throws an EspalierError for a pattern that no tensor is called by. */
  checkPatterns(): void {
    const { trainable, buffers } = this.#options;
    const idle = [...trainable, ...buffers].find(
      (pattern) => ![...this.#seen].some((name) => matchesAny([pattern], name)),
    );
    if (idle !== undefined)
      throw new EspalierError(`no tensor whose role is open has a name that matches "${idle}".`);
  }

  /** Numbers of the tensor that a value is. */
  numbersOf(value: Value): TensorData | undefined {
    const name = this.#names.get(value.id);
    return name === undefined ? undefined : this.tensors.get(name);
  }

  /** Whether a value is a constant or a weight without NaN. */
  isNumber(value: Value): boolean {
    const numbers = this.numbersOf(value)?.data ?? [this.scalars.get(value.id) ?? Number.NaN];
    return !numbers.some(Number.isNaN);
  }

  /** A scalar constant. */
  number(value: number): Value {
    const drawn = this.#b.constant(value);
    this.scalars.set(drawn.id, value);
    return drawn;
  }

  /** A buffer that the file does not have. */
  buffer(name: string, known: Known): Value {
    return this.#add(name, "buffer", known);
  }

  /** A scalar constant among integers. */
  integer(value: number): Value {
    const drawn = this.#integers.get(value) ?? this.#constant(scalar("int", value), `integer:${value}`);
    this.#integers.set(value, drawn);
    return drawn;
  }

  #constant(known: Known, name: string): Value {
    const [only] = known.data;
    if (known.kind === "float" && known.shape.length === 0)
      return this.number(plainNumbers(known)[0] ?? only!);
    return this.#add(this.#unused(name), "constant", known);
  }

  #scalar(known: Known, { name, order }: Source): Value {
    const before = this.#numbers.get(name);
    if (before !== undefined) return before;
    const same = this.#b.tensorNamed(name);
    const number = known.data[0]!;
    const value =
      same !== undefined && this.scalars.get(same.id) === number
        ? same
        : this.#add(this.#unused(name), "constant", known, order);
    this.scalars.set(value.id, number);
    this.#numbers.set(name, value);
    return value;
  }

  #add(name: string, role: TensorRole, known: Known, order?: number): Value {
    const unique = this.#unused(name);
    const data = tensorData(known, unique);
    this.tensors.set(unique, data);
    if (order !== undefined) this.order.set(unique, order);
    const value = this.#b.tensor(unique, role, data);
    this.#names.set(value.id, unique);
    return value;
  }

  /** A derived name, unless an initialiser has it. */
  #free(name: string | undefined): string | undefined {
    return name === undefined || this.#reserved.has(name) ? undefined : name;
  }

  #unused(name: string): string {
    let unused = name;
    for (let i = 1; this.tensors.has(unused) || this.#b.tensorNamed(unused) !== undefined; i++)
      unused = `${name}_${i}`;
    return unused;
  }
}

function tensorData(known: Known, name: string): TensorData {
  const numbers = plainNumbers(known);
  const dtype: DataType = known.kind === "float" ? "float32" : "int32";
  if (dtype === "float32") {
    const data = numbers instanceof Float32Array ? numbers : Float32Array.from(numbers);
    return { dtype, shape: known.shape, data };
  }
  const large = numbers.find((value) => value !== (value | 0));
  if (large !== undefined)
    throw new EspalierError(`tensor "${name}" holds ${large}, which int32 cannot hold.`);
  return { dtype, shape: known.shape, data: Int32Array.from(numbers) };
}

function transposedKnown(known: Known): Known {
  const [rows, columns] = known.shape as readonly [number, number];
  const data = new Float32Array(rows * columns);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) data[c * rows + r] = known.data[r * columns + c]!;
  }
  return { kind: "float", shape: [columns, rows], data };
}

/** A copied layer, with equal weights, has an equal bias under another name. */
function isCopy(first: Drawn, own: string, { bias }: Use): boolean {
  const other = first.use.bias;
  if (own === first.name || bias === undefined || other === undefined) return false;
  return bias.source?.name !== other.source?.name && sameNumbers(bias, other);
}

interface Numbers {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

function sameNumbers(a: Numbers, b: Numbers): boolean {
  if (a.shape.join() !== b.shape.join()) return false;
  for (let i = 0; i < a.data.length; i++)
    if (!Object.is(Math.fround(a.data[i]!), Math.fround(b.data[i]!))) return false;
  return true;
}

function sumOfBits({ data, shape }: Known): number {
  const numbers = data instanceof Float32Array ? data : Float32Array.from(data);
  const bits = new Int32Array(numbers.buffer, numbers.byteOffset, numbers.length);
  return bits.reduce((sum, word) => (sum + word) | 0, shape.length);
}

function isUniform({ data, shape }: Known): boolean {
  return shape.length <= 1 && data.every((value) => value === data[0]);
}
