import { EspalierError } from "@espalier/core";
import { bytesOf, type ElementType, type Storage } from "../memory/storage.ts";

/** One dispatch: what runs, on which memory, how many times. */
export interface Kernel {
  /** The nodes it computes: what messages call it. */
  readonly label: string;
  readonly code: string;
  readonly bindings: readonly Binding[];
  /** Values of the uniform `p`, in its order. Whatever grows with the batch is here, so that the code is the same at every size. */
  readonly parameters: readonly number[];
  readonly workgroups: readonly [number, number, number];
}

export interface Binding {
  readonly storage: Storage;
  readonly access: "read" | "read_write";
}

/** How many numbers are handled at once. */
export type Width = 1 | 4;

/** Limits of the device for a kernel. */
export interface KernelLimits {
  readonly storageBuffers: number;
  readonly workgroupsPerAxis: number;
}

interface Bound {
  readonly name: string;
  access: "read" | "read_write";
  width: Width | undefined;
}

/** Thrown when a storage turns out to be read both by fours and one by one: it is written again, one by one only. */
class Mixed extends Error {}

/** Writes the WGSL of one kernel. `body` may run more than once; it returns the threads or workgroups along each axis. */
export function writeKernel(
  label: string,
  limits: KernelLimits,
  body: (writer: Writer) => readonly [number, number?, number?],
): Kernel {
  const scalars = new Set<Storage>();
  for (;;) {
    const writer = new Writer(label, limits, scalars);
    try {
      return writer.finish(body(writer));
    } catch (error) {
      if (!(error instanceof Mixed)) throw error;
    }
  }
}

export class Writer {
  readonly label: string;
  readonly #limits: KernelLimits;
  readonly #scalars: Set<Storage>;
  readonly #bound = new Map<Storage, Bound>();
  readonly #parameters = new Map<string, number>();
  readonly #helpers = new Map<string, string>();
  readonly #shared = new Map<string, string>();
  #lines: string[] = [];
  #known = new Map<string, string>();
  #count = 0;
  /** Threads of a workgroup along each axis. */
  workgroup: readonly [number, number] = [64, 1];

  constructor(label: string, limits: KernelLimits, scalars: Set<Storage>) {
    this.label = label;
    this.#limits = limits;
    this.#scalars = scalars;
  }

  line(text: string): void {
    this.#lines.push(text);
  }

  /** Lines of their own scope: what is bound inside is not known outside. */
  block(head: string, inside: () => void): void {
    const known = this.#known;
    this.#known = new Map(known);
    this.line(`${head} {`);
    inside();
    this.line("}");
    this.#known = known;
  }

  /** A name for an expression; the same one where it was given before. Plain names and numbers stay as they are. */
  bind(type: string, expression: string): string {
    if (/^(p\.)?\w+$/.test(expression)) return expression;
    const key = `${type} ${expression}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const name = this.fresh("t");
    this.line(`let ${name}: ${type} = ${expression};`);
    this.#known.set(key, name);
    return name;
  }

  /** The value bound under the caller's key, in this scope or an enclosing one. */
  remember(key: string, make: () => string): string {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const made = make();
    this.#known.set(key, made);
    return made;
  }

  fresh(prefix: string): string {
    // The underscore keeps it from becoming a keyword: "f" and 32.
    return `${prefix}_${this.#count++}`;
  }

  /** A u32 of the uniform. */
  parameter(name: string, value: number): string {
    this.#parameters.set(name, value);
    return `p.${name}`;
  }

  /**
   * One thread for each of `count` things: gives the thread's number, after a line that sends the superfluous ones away,
   * and how many workgroups it takes.
   */
  threads(count: number): { readonly id: string; readonly workgroups: readonly [number, number] } {
    const [size] = this.workgroup;
    const groups = Math.ceil(count / size);
    const maxPerAxis = this.#limits.workgroupsPerAxis;
    const many = groups > maxPerAxis;
    const id = this.bind("u32", many ? `thread.x + thread.y * ${maxPerAxis * size}u` : "thread.x");
    this.line(`if (${id} >= ${this.parameter("threads", count)}) { return; }`);
    return { id, workgroups: many ? [maxPerAxis, Math.ceil(groups / maxPerAxis)] : [groups, 1] };
  }

  /** Spreads workgroups over the last two axes of the grid: gives the number of the own one. */
  spread(count: number): { readonly id: string; readonly workgroups: readonly [number, number] } {
    const maxPerAxis = this.#limits.workgroupsPerAxis;
    if (count <= maxPerAxis) return { id: "group.y", workgroups: [count, 1] };
    return {
      id: this.bind("u32", `group.y + group.z * ${maxPerAxis}u`),
      workgroups: [maxPerAxis, Math.ceil(count / maxPerAxis)],
    };
  }

  /** A function outside the kernel, once. */
  helper(name: string, text: string): string {
    this.#helpers.set(name, text);
    return name;
  }

  /** Memory of the workgroup. */
  shared(name: string, type: string): void {
    this.#shared.set(name, `var<workgroup> ${name}: ${type};`);
  }

  /** One element, or four from four times `at`. */
  load(storage: Storage, at: string, width: Width): string {
    const { name, asVector } = this.#use(storage, "read", width);
    const type = computedType(storage.type);
    const convert = (text: string, of: string) => (storage.type === "f16" ? `${of}(${text})` : text);
    if (width === 1) return convert(`${name}[${at}]`, "f32");
    if (asVector) return convert(`${name}[${at}]`, "vec4f");
    const first = this.bind("u32", `4u * ${parenthesize(at)}`);
    const parts = [0, 1, 2, 3].map((i) => convert(`${name}[${i === 0 ? first : `${first} + ${i}u`}]`, "f32"));
    return `vec4<${type}>(${parts.join(", ")})`;
  }

  store(storage: Storage, at: string, value: string, width: Width): void {
    const { name, asVector } = this.#use(storage, "read_write", width);
    const convert = (text: string, vector: boolean) =>
      storage.type === "f16" ? `${vector ? "vec4<f16>" : "f16"}(${text})` : text;
    if (width === 1 || asVector) {
      this.line(`${name}[${at}] = ${convert(value, width === 4)};`);
      return;
    }
    const vector = this.bind(`vec4<${computedType(storage.type)}>`, value);
    const first = this.bind("u32", `4u * ${parenthesize(at)}`);
    for (let i = 0; i < 4; i++)
      this.line(`${name}[${first} + ${i}u] = ${convert(`${vector}[${i}]`, false)};`);
  }

  /** Storages used so far. */
  get storages(): readonly Storage[] {
    return [...this.#bound.keys()];
  }

  finish([x, y = 1, z = 1]: readonly [number, number?, number?]): Kernel {
    if (this.#bound.size > this.#limits.storageBuffers) {
      throw new EspalierError(
        `${this.label} reads and writes ${this.#bound.size} buffers, the device allows ${this.#limits.storageBuffers}.`,
      );
    }
    const bound = [...this.#bound];
    const half = bound.some(([{ type }]) => type === "f16");
    const declarations = bound.map(([{ type }, { name, access, width }], i) => {
      const element = width === 4 ? `vec4<${type}>` : type;
      return `@group(0) @binding(${i}) var<storage, ${access}> ${name}: array<${element}>;`;
    });
    const names = [...this.#parameters.keys()];
    if (names.length > 0) {
      declarations.push(`struct Parameters { ${names.map((name) => `${name}: u32`).join(", ")} }`);
      declarations.push(`@group(0) @binding(${bound.length}) var<uniform> p: Parameters;`);
    }
    const code = [
      ...(half ? ["enable f16;"] : []),
      ...declarations,
      ...this.#shared.values(),
      ...this.#helpers.values(),
      `@compute @workgroup_size(${this.workgroup.join(", ")})`,
      "fn main(@builtin(global_invocation_id) thread: vec3u, @builtin(local_invocation_id) local: vec3u,",
      "  @builtin(workgroup_id) group: vec3u) {",
      ...this.#lines,
      "}",
    ].join("\n");
    return {
      label: this.label,
      code,
      bindings: bound.map(([storage, { access }]) => ({ storage, access })),
      parameters: [...this.#parameters.values()],
      workgroups: [x, y, z],
    };
  }

  #use(storage: Storage, access: Bound["access"], width: Width): { name: string; asVector: boolean } {
    let bound = this.#bound.get(storage);
    if (bound === undefined) {
      bound = { name: `b${this.#bound.size}`, access, width: undefined };
      this.#bound.set(storage, bound);
    }
    if (access === "read_write") bound.access = access;
    // An array of vectors must have room for the last one.
    const whole = bytesOf(storage) % (storage.type === "f16" ? 8 : 16) === 0;
    const effective: Width = this.#scalars.has(storage) || !whole ? 1 : width;
    if (bound.width !== undefined && bound.width !== effective) {
      this.#scalars.add(storage);
      throw new Mixed();
    }
    bound.width = effective;
    return { name: bound.name, asVector: effective === 4 };
  }
}

/** The type a stored element is computed with. */
export function computedType(type: ElementType): string {
  return type === "f16" ? "f32" : type;
}

export function parenthesize(expression: string): string {
  return /^[\w.]+$/.test(expression) ? expression : `(${expression})`;
}
