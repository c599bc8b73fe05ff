import { EspalierError, type TensorData } from "@espalier/core";
import { numberBytes, toTensor } from "../numbers.ts";
import { shown } from "../onnx/import/text.ts";
import { type Archive, maxUnpacked, openArchive } from "./archive.ts";
import { Global, keyText, type Pickled, type PickleHandlers, readPickle } from "./pickle.ts";

/** The content of a PyTorch checkpoint. */
export interface PytorchCheckpoint {
  /** Floating-point tensors as float32, integers as int32. */
  readonly tensors: ReadonlyMap<string, TensorData>;
  /** Names of other content next to the state dict (an epoch, an optimiser), which is not read. */
  readonly ignored: readonly string[];
}

/** PyTorch's storage types, with safetensors' names of their numbers. */
const storageTypes: Readonly<Record<string, string>> = {
  "torch.FloatStorage": "F32",
  "torch.DoubleStorage": "F64",
  "torch.HalfStorage": "F16",
  "torch.BFloat16Storage": "BF16",
  "torch.LongStorage": "I64",
  "torch.IntStorage": "I32",
  "torch.ShortStorage": "I16",
  "torch.CharStorage": "I8",
  "torch.ByteStorage": "U8",
  "torch.BoolStorage": "BOOL",
};

/** Names under which training scripts store the state dict with other content. */
const wrappers: readonly string[] = ["state_dict", "model_state_dict", "model", "net", "module"];

/** Maximum number of axes, which is PyTorch's. */
const maxAxes = 64;

/** Numbers in a file of the archive. */
class Storage {
  readonly dtype: string;
  readonly key: string;
  readonly length: number;
  constructor(dtype: string, key: string, length: number) {
    this.dtype = dtype;
    this.key = key;
    this.length = length;
  }
}

/** A tensor before its numbers are read: a view of a storage. */
class View {
  readonly storage: Storage;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  constructor(storage: Storage, offset: number, shape: readonly number[], strides: readonly number[]) {
    this.storage = storage;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }
}

/**
 * Reads what `torch.save` wrote of a state dict (PyTorch ≥ 1.6: a zip archive with a pickle inside), also one that lies
 * in a dictionary beside other things, or was saved from `DataParallel`. The pickle can build tensors and plain
 * containers and nothing else. Throws an EspalierError for anything more, and for damaged files.
 */
export async function readPytorch(
  bytes: Uint8Array,
  { name = "checkpoint" }: { readonly name?: string } = {},
): Promise<PytorchCheckpoint> {
  const archive = await openArchive(bytes, name);
  const root = readPickle(await archive.read("data.pkl"), name, handlers(name));
  const { views, ignored } = stateDict(root, name);
  return { tensors: await readViews(withoutPrefix(views), archive, bytes.length, name), ignored };
}

function handlers(where: string): PickleHandlers {
  const damaged = () => new EspalierError(`${where}: a tensor in its pickle is damaged.`);
  return {
    call(callable, args) {
      if (callable === "collections.OrderedDict" && args.length === 0) return new Map();
      if (callable === "torch._utils._rebuild_parameter")
        return args[0] instanceof View ? args[0] : undefined;
      if (callable !== "torch._utils._rebuild_tensor_v2") return undefined;
      const [storage, offset, shape, strides] = args;
      if (!(storage instanceof Storage) || !isCount(offset) || !isCounts(shape) || !isCounts(strides))
        throw damaged();
      if (shape.length !== strides.length || shape.length > maxAxes) throw damaged();
      return new View(storage, offset, shape, strides);
    },
    persistent(id) {
      const [kind, type, key, , length] = Array.isArray(id) ? id : [];
      if (kind !== "storage" || !(type instanceof Global) || typeof key !== "string" || !isCount(length))
        throw damaged();
      const dtype = Object.hasOwn(storageTypes, type.name) ? storageTypes[type.name] : undefined;
      if (dtype === undefined) {
        throw new EspalierError(
          `${where}: it holds a ${shown(type.name)}; known: ${Object.keys(storageTypes).join(", ")}.`,
        );
      }
      return new Storage(dtype, key, length);
    },
  };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every(isCount);
}

/** The tensors by name: from the pickle itself, or from the dictionary in it that holds tensors. */
function stateDict(root: Pickled, where: string): { views: Map<string, View>; ignored: string[] } {
  if (!(root instanceof Map))
    throw new EspalierError(`${where}: its pickle is not a state dict, but ${describe(root)}.`);
  const views = tensorsIn(root);
  if (views.size > 0) return { views, ignored: others(root, views) };
  const inner = [...root].flatMap(([key, value]) =>
    typeof key === "string" && value instanceof Map && tensorsIn(value).size > 0
      ? [[key, value] as const]
      : [],
  );
  const [chosen] =
    inner.length === 1 ? inner : wrappers.flatMap((key) => inner.filter(([name]) => name === key));
  if (chosen !== undefined) {
    const found = tensorsIn(chosen[1]);
    return { views: found, ignored: [...others(root, new Map([chosen])), ...others(chosen[1], found)] };
  }
  const names = [...root.keys()].slice(0, 8).map(keyText).join(", ") || "nothing";
  throw new EspalierError(
    `${where}: it contains no state dict (it holds ${shown(names).slice(1, -1)}). Save one with torch.save(model.state_dict(), …).`,
  );
}

function describe(value: Pickled): string {
  if (value instanceof View) return "a single tensor";
  return Array.isArray(value) ? "a list" : `a ${typeof value}`;
}

function tensorsIn(map: ReadonlyMap<Pickled, Pickled>): Map<string, View> {
  return new Map(
    [...map].flatMap(([key, value]) =>
      typeof key === "string" && value instanceof View ? [[key, value] as const] : [],
    ),
  );
}

function others(map: ReadonlyMap<Pickled, Pickled>, taken: ReadonlyMap<string, unknown>): string[] {
  return [...map.keys()].map(keyText).filter((key) => !taken.has(key));
}

/** `DataParallel` puts `module.` before every name. */
function withoutPrefix(views: ReadonlyMap<string, View>): ReadonlyMap<string, View> {
  const prefix = "module.";
  if (![...views.keys()].every((name) => name.startsWith(prefix))) return views;
  return new Map([...views].map(([name, view]) => [name.slice(prefix.length), view]));
}

async function readViews(
  views: ReadonlyMap<string, View>,
  archive: Archive,
  fileBytes: number,
  where: string,
): Promise<Map<string, TensorData>> {
  const storages = new Map<string, TensorData>();
  const tensors = new Map<string, TensorData>();
  // Several tensors may share a storage (tied weights), but a small file that claims to hold far more is not a
  // checkpoint.
  let budget = maxUnpacked(fileBytes);
  for (const [name, { storage, offset, shape, strides }] of views) {
    const size = shape.reduce((n, extent) => n * extent, 1);
    const last = shape.reduce((at, extent, axis) => at + (extent - 1) * strides[axis]!, offset);
    budget -= 4 * size;
    if ((size > 0 && last >= storage.length) || !(budget >= 0)) {
      throw new EspalierError(
        `${where}: tensor ${shown(name)} [${shape.join(", ")}] needs more numbers than the file holds for it.`,
      );
    }
    const key = `${storage.dtype} ${storage.key}`;
    const all = storages.get(key) ?? (await readStorage(storage, archive, where));
    storages.set(key, all);
    tensors.set(name, viewOf(all, offset, shape, strides, size));
  }
  return tensors;
}

async function readStorage(
  { dtype, key, length }: Storage,
  archive: Archive,
  where: string,
): Promise<TensorData> {
  const bytes = await archive.read(`data/${key}`);
  const needed = length * numberBytes[dtype]!;
  if (bytes.length !== needed) {
    throw new EspalierError(
      `${where}: storage ${shown(key)} has ${bytes.length} bytes, but ${needed} were expected: it is damaged.`,
    );
  }
  return toTensor(bytes, dtype, [length], () => `${where}: storage ${shown(key)}`);
}

/** A copy of a strided view, row-major. */
function viewOf(
  { dtype, data }: TensorData,
  offset: number,
  shape: readonly number[],
  strides: readonly number[],
  size: number,
): TensorData {
  const out = dtype === "int32" ? new Int32Array(size) : new Float32Array(size);
  const index = shape.map(() => 0);
  let from = offset;
  for (let i = 0; i < size; i++) {
    out[i] = data[from]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      from -= shape[axis]! * strides[axis]!;
      index[axis] = 0;
    }
  }
  return { dtype, shape, data: out };
}
