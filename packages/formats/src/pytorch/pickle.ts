import { EspalierError } from "@espalier/core";
import { shown } from "../onnx/import/text.ts";

/** A name in the pickle: a class or function, which is never run. */
export class Global {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** Possible contents of a pickle. Dictionaries are maps, tuples and lists are arrays. */
export type Pickled =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Global
  | Pickled[]
  | Map<Pickled, Pickled>
  | object;

/** Extensions for certain pickles: allowed calls, and objects stored outside the pickle. */
export interface PickleHandlers {
  /** The result of calling `callable`; undefined if the call is not allowed. */
  call(callable: string, args: readonly Pickled[]): Pickled | undefined;
  /** The object a persistent id stands for. */
  persistent(id: Pickled): Pickled;
}

const mark = Symbol("mark");

/** Maximum number of opcodes. A tensor takes some thirty of them. */
const maxSteps = 2 ** 21;

/** The text of a key. What may be nested without end is only called what it is. */
export function keyText(key: Pickled): string {
  if (typeof key !== "object" || key === null) return String(key);
  return Array.isArray(key) ? "a tuple" : "an object";
}

/**
 * Reads a pickle (protocol 2 to 5) of plain containers, and of objects built by the few calls that `handlers` allows.
 * Nothing in the pickle is executed: names are only names, and a call that is not allowed is an EspalierError. Opcodes
 * are those of Python's `pickletools`.
 */
export function readPickle(bytes: Uint8Array, where: string, handlers: PickleHandlers): Pickled {
  return new Unpickler(bytes, where, handlers).read();
}

class Unpickler {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #where: string;
  readonly #handlers: PickleHandlers;
  readonly #stack: (Pickled | typeof mark)[] = [];
  readonly #memo = new Map<number, Pickled>();
  #at = 0;

  constructor(bytes: Uint8Array, where: string, handlers: PickleHandlers) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#where = where;
    this.#handlers = handlers;
  }

  read(): Pickled {
    for (let count = 0; ; count++) {
      if (count > maxSteps)
        throw this.#refuse(`has more than ${maxSteps.toLocaleString("en")} steps, which no state dict needs`);
      const opcode = this.#take(1)[0]!;
      if (opcode === 0x2e /* STOP */) return this.#pop();
      const step = steps.get(opcode);
      if (step === undefined) {
        throw this.#refuse(
          `holds opcode 0x${opcode.toString(16)}, which tensors and plain containers do not need`,
        );
      }
      step(this);
    }
  }

  push(value: Pickled): void {
    this.#stack.push(value);
  }

  skip(count: number): void {
    this.#take(count);
  }

  unsigned(bytes: 1 | 2 | 4 | 8): number {
    const at = this.#at;
    this.#take(bytes);
    if (bytes === 1) return this.#view.getUint8(at);
    if (bytes === 2) return this.#view.getUint16(at, true);
    return bytes === 4 ? this.#view.getUint32(at, true) : Number(this.#view.getBigUint64(at, true));
  }

  signed(): number {
    const at = this.#at;
    this.#take(4);
    return this.#view.getInt32(at, true);
  }

  /** A little-endian integer of any length in two's complement. */
  long(length: number): number | bigint {
    let value = 0n;
    const digits = this.#take(length);
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(digits[i]!);
    if (length > 0 && digits[length - 1]! >= 0x80) value -= 1n << BigInt(8 * length);
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }

  double(): number {
    const at = this.#at;
    this.#take(8);
    return this.#view.getFloat64(at, false);
  }

  raw(length: number): Uint8Array {
    return this.#take(length);
  }

  text(length: number): string {
    return new TextDecoder().decode(this.#take(length));
  }

  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at);
    if (end < 0) throw this.#truncated();
    const text = this.text(end - this.#at);
    this.skip(1);
    return text;
  }

  mark(): void {
    this.#stack.push(mark);
  }

  pop(): Pickled {
    return this.#pop();
  }

  /** The stack above the last mark; removes the mark too. */
  popToMark(): Pickled[] {
    const at = this.#stack.lastIndexOf(mark);
    if (at < 0) throw this.#damaged();
    const items = this.#stack.splice(at) as Pickled[];
    return items.slice(1);
  }

  top(): Pickled {
    const value = this.#stack.at(-1);
    if (value === undefined || value === mark) throw this.#damaged();
    return value as Pickled;
  }

  remember(key: number): void {
    this.#memo.set(key, this.top());
  }

  memoize(): void {
    this.remember(this.#memo.size);
  }

  recall(key: number): void {
    const value = this.#memo.get(key);
    if (value === undefined) throw this.#damaged();
    this.push(value);
  }

  set(pairs: readonly Pickled[]): void {
    const map = this.top();
    if (!(map instanceof Map) || pairs.length % 2 !== 0) throw this.#damaged();
    for (let i = 0; i < pairs.length; i += 2) map.set(pairs[i]!, pairs[i + 1]!);
  }

  append(items: readonly Pickled[]): void {
    const list = this.top();
    if (!Array.isArray(list)) throw this.#damaged();
    for (const item of items) list.push(item);
  }

  call(): void {
    const args = this.#pop();
    const callable = this.#pop();
    if (!(callable instanceof Global) || !Array.isArray(args)) throw this.#damaged();
    const result = this.#handlers.call(callable.name, args);
    if (result === undefined) {
      throw this.#refuse(
        `calls ${shown(callable.name).slice(1, -1)}; only tensors and plain containers are read, and nothing is run`,
      );
    }
    this.push(result);
  }

  /**
   * State set on an object after its creation. State of a dictionary in addition to its items (`_metadata`) is not
   * needed.
   */
  build(): void {
    this.#pop();
    if (!(this.top() instanceof Map))
      throw this.#refuse("sets the state of an object; only tensors and plain containers are read");
  }

  persistent(): void {
    this.push(this.#handlers.persistent(this.#pop()));
  }

  #pop(): Pickled {
    const value = this.#stack.pop();
    if (value === undefined || value === mark) throw this.#damaged();
    return value as Pickled;
  }

  #take(count: number): Uint8Array {
    const end = this.#at + count;
    if (!(end <= this.#bytes.length)) throw this.#truncated();
    const piece = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return piece;
  }

  #refuse(why: string): EspalierError {
    return new EspalierError(`${this.#where}: its pickle ${why}.`);
  }
  #damaged(): EspalierError {
    return new EspalierError(`${this.#where}: its pickle is damaged near byte ${this.#at}.`);
  }
  #truncated(): EspalierError {
    return new EspalierError(`${this.#where}: its pickle ends too early: the file is truncated or damaged.`);
  }
}

type Step = (u: Unpickler) => void;

const steps: ReadonlyMap<number, Step> = new Map<number, Step>([
  [0x80, (u) => u.skip(1)], // PROTO
  [0x95, (u) => u.skip(8)], // FRAME
  [0x28, (u) => u.mark()], // MARK
  [0x30, (u) => void u.pop()], // POP
  [0x31, (u) => void u.popToMark()], // POP_MARK
  [0x4e, (u) => u.push(null)], // NONE
  [0x88, (u) => u.push(true)], // NEWTRUE
  [0x89, (u) => u.push(false)], // NEWFALSE
  [0x4a, (u) => u.push(u.signed())], // BININT
  [0x4b, (u) => u.push(u.unsigned(1))], // BININT1
  [0x4d, (u) => u.push(u.unsigned(2))], // BININT2
  [0x8a, (u) => u.push(u.long(u.unsigned(1)))], // LONG1
  [0x47, (u) => u.push(u.double())], // BINFLOAT
  [0x58, (u) => u.push(u.text(u.unsigned(4)))], // BINUNICODE
  [0x8c, (u) => u.push(u.text(u.unsigned(1)))], // SHORT_BINUNICODE
  [0x8d, (u) => u.push(u.text(u.unsigned(8)))], // BINUNICODE8
  [0x43, (u) => u.push(u.raw(u.unsigned(1)))], // SHORT_BINBYTES
  [0x42, (u) => u.push(u.raw(u.unsigned(4)))], // BINBYTES
  [0x7d, (u) => u.push(new Map())], // EMPTY_DICT
  [0x5d, (u) => u.push([])], // EMPTY_LIST
  [0x29, (u) => u.push([])], // EMPTY_TUPLE
  [0x74, (u) => u.push(u.popToMark())], // TUPLE
  [0x6c, (u) => u.push(u.popToMark())], // LIST
  [0x85, (u) => u.push([u.pop()])], // TUPLE1
  [0x86, (u) => u.push([u.pop(), u.pop()].reverse())], // TUPLE2
  [0x87, (u) => u.push([u.pop(), u.pop(), u.pop()].reverse())], // TUPLE3
  [0x73, (u) => u.set([u.pop(), u.pop()].reverse())], // SETITEM
  [0x75, (u) => u.set(u.popToMark())], // SETITEMS
  [0x61, (u) => u.append([u.pop()])], // APPEND
  [0x65, (u) => u.append(u.popToMark())], // APPENDS
  [0x71, (u) => u.remember(u.unsigned(1))], // BINPUT
  [0x72, (u) => u.remember(u.unsigned(4))], // LONG_BINPUT
  [0x94, (u) => u.memoize()], // MEMOIZE
  [0x68, (u) => u.recall(u.unsigned(1))], // BINGET
  [0x6a, (u) => u.recall(u.unsigned(4))], // LONG_BINGET
  [0x63, (u) => u.push(new Global(`${u.line()}.${u.line()}`))], // GLOBAL
  [0x93, (u) => u.push(new Global([u.pop(), u.pop()].reverse().map(keyText).join(".")))], // STACK_GLOBAL
  [0x52, (u) => u.call()], // REDUCE
  [0x62, (u) => u.build()], // BUILD
  [0x51, (u) => u.persistent()], // BINPERSID
]);
