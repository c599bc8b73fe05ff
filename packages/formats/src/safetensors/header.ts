import * as forms from "@espalier/core/forms";
import { EspalierError } from "@espalier/core/inference";
import { numberBytes } from "../numbers.ts";

/** Position of one tensor in the data part of a file. */
export interface TensorEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** A header that fits its file. */
export interface Header {
  readonly entries: ReadonlyMap<string, TensorEntry>;
  readonly metadata: Readonly<Record<string, string>>;
  /** Offset of the data part in the file. */
  readonly dataStart: number;
}

/** Largest supported header, the limit of the format's own implementation. */
const largestHeader = 100_000_000;

const metadataForm = forms.recordOf(forms.text);
const entryForm = forms.object({
  dtype: forms.text,
  shape: forms.listOf(forms.count),
  data_offsets: forms.listOf(forms.count, 2),
});

/**
 * Reads and checks the header of a safetensors file: entries lie inside the file, one after the other without gaps or
 * overlap, and have the length that their shapes need. Nothing is allocated that the file merely claims.
 */
export function readHeader(bytes: Uint8Array, file: string): Header {
  const damaged = (why: string) => new EspalierError(`${file}: not a valid safetensors file: ${why}.`);
  if (bytes.length < 8) throw damaged(`it has ${bytes.length} bytes, too few for a header`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = Number(view.getBigUint64(0, true));
  if (length > largestHeader || 8 + length > bytes.length) {
    throw damaged(`its header claims ${length} bytes, but the file has ${bytes.length}`);
  }
  const raw = parseHeader(bytes.subarray(8, 8 + length));
  if (raw === undefined) throw damaged("its header is not a JSON object");
  if (raw.twice !== undefined) throw damaged(`it names "${raw.twice}" twice`);
  const metadata: Record<string, string> = {};
  const entries = new Map<string, TensorEntry>();
  const dataStart = 8 + length;
  for (const [name, value] of Object.entries(raw.content)) {
    if (name === "__metadata__") {
      if (metadataForm(value) !== undefined) throw damaged("its metadata is not text");
      Object.assign(metadata, value);
      continue;
    }
    const entry = value as { dtype: string; shape: number[]; data_offsets: number[] };
    if (entryForm(value) !== undefined || entry.data_offsets.length !== 2) {
      throw damaged(`tensor "${name}" has no valid entry`);
    }
    const { dtype, shape } = entry;
    const [begin, end] = entry.data_offsets as [number, number];
    const unit = Object.hasOwn(numberBytes, dtype) ? numberBytes[dtype] : undefined;
    if (unit === undefined) {
      throw new EspalierError(
        `${file}: tensor "${name}" is ${dtype}; known: ${Object.keys(numberBytes).join(", ")}.`,
      );
    }
    const size = shape.reduce((n, extent) => n * extent, unit);
    if (size !== end - begin)
      throw damaged(
        `tensor "${name}" of shape [${shape.join(", ")}] needs ${size} bytes, but has ${end - begin}`,
      );
    if (dataStart + end > bytes.length)
      throw damaged(
        `tensor "${name}" ends at byte ${dataStart + end}, but the file has ${bytes.length}: truncated`,
      );
    entries.set(name, { dtype, shape, begin, end });
  }
  checkLayout(entries, bytes.length - dataStart, damaged);
  return { entries, metadata, dataStart };
}

/** The header's object, and a name that occurs twice: JSON parsers silently keep the last one. */
function parseHeader(
  bytes: Uint8Array,
): { readonly content: Record<string, unknown>; readonly twice: string | undefined } | undefined {
  let text: string;
  let content: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    content = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!text.startsWith("{") || typeof content !== "object" || content === null) return undefined;
  const seen = new Set<string>();
  const twice = topNames(text).find((name) => seen.size === seen.add(name).size);
  return { content: content as Record<string, unknown>, twice };
}

/** The names of the outermost object of a valid JSON text, as often as they occur. */
function topNames(text: string): string[] {
  const names: string[] = [];
  let depth = 0;
  let string: string | undefined;
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!;
    if (char === '"') {
      const start = i++;
      while (text[i] !== '"') i += text[i] === "\\" ? 2 : 1;
      string = text.slice(start, i + 1);
    } else if (char === "{" || char === "[") depth++;
    else if (char === "}" || char === "]") depth--;
    else if (char === ":" && depth === 1) names.push(JSON.parse(string!) as string);
  }
  return names;
}

function checkLayout(
  entries: ReadonlyMap<string, TensorEntry>,
  size: number,
  damaged: (why: string) => Error,
): void {
  let at = 0;
  const sorted = [...entries].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  for (const [name, { begin, end }] of sorted) {
    if (begin !== at)
      throw damaged(`tensor "${name}" begins at byte ${begin} of the data, but ${at} was expected`);
    at = end;
  }
  if (at !== size) throw damaged(`its tensors take ${at} bytes, but its data has ${size}`);
}
