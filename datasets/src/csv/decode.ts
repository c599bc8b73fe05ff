import { EspalierError } from "@espalier/core";
import type { CsvOptions } from "./options.ts";

/** The text of a file. */
export interface Decoded {
  readonly text: string;
  /** The encoding to use if the text is neither UTF-8 nor UTF-16. */
  readonly encoding?: string | undefined;
  readonly note?: string | undefined;
}

/** Files that are no text, by their first bytes, and what makes a CSV file of them. */
const containers: readonly (readonly [
  magic: string,
  what: string,
  how: (name: string, csv: string) => string,
])[] = [
  ["PAR1", "a Parquet file", (name, csv) => pandas(`read_parquet("${name}")`, csv)],
  ["ARROW1", "an Arrow file", (name, csv) => pandas(`read_feather("${name}")`, csv)],
  ["FEA1", "a Feather file", (name, csv) => pandas(`read_feather("${name}")`, csv)],
  ["\x89HDF", "an HDF5 file", (name, csv) => pandas(`read_hdf("${name}")`, csv)],
  [
    "SQLite format 3",
    "a SQLite database",
    (name, csv) => `sqlite3 -csv -header ${name} "SELECT * FROM …" > ${csv}`,
  ],
  ["\xD0\xCF\x11\xE0", "an Excel workbook", () => 'In Excel: Save As, "CSV UTF-8"'],
  ["\x1F\x8B", "packed by gzip", (name) => `gunzip ${name}`],
  ["BZh", "packed by bzip2", (name) => `bunzip2 ${name}`],
  ["\xFD7zXZ", "packed by xz", (name) => `unxz ${name}`],
  ["\x28\xB5\x2F\xFD", "packed by Zstandard", (name) => `unzstd ${name}`],
  ["%PDF", "a PDF document", () => "Export the table from where the document was made"],
];

function pandas(read: string, csv: string): string {
  return `python -c 'import pandas; pandas.${read}.to_csv("${csv}", index=False)'`;
}

/**
 * The text of a file's bytes: UTF-8; UTF-16 with a byte order mark; what is neither, as Windows-1252, which holds Latin-1.
 *
 * @throws EspalierError for what is no text, saying how a CSV file is made of it, and for an encoding that is not known.
 */
export function decode(
  name: string,
  bytes: Uint8Array,
  { encoding, like }: Pick<CsvOptions, "encoding" | "like">,
): Decoded {
  const refused = refusal(name, bytes);
  if (refused !== undefined) throw new EspalierError(`data ${name}: ${refused}`);
  const utf16 = utf16Of(bytes);
  if (encoding !== undefined) {
    const either = /^utf-?16$/i.test(encoding) ? (utf16 ?? encoding) : encoding;
    return { text: decoded(name, either, bytes), encoding };
  }
  if (utf16 !== undefined) return { text: decoded(name, utf16, bytes) };
  if (bytes.subarray(0, 4096).includes(0)) throw new EspalierError(`data ${name}: is not a text file.`);
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch {
    if (like?.encoding !== undefined) {
      return { text: decoded(name, like.encoding, bytes), encoding: like.encoding };
    }
    const text = new TextDecoder("windows-1252").decode(
      startsWith(bytes, utf8Mark) ? bytes.subarray(3) : bytes,
    );
    const note = "not UTF-8, read as Windows-1252 (Latin-1); --encoding takes another";
    return { text, encoding: "windows-1252", note };
  }
}

const utf8Mark = "\xEF\xBB\xBF";

/** The text of bytes, all of which must be of the encoding. */
function decoded(name: string, encoding: string, bytes: Uint8Array): string {
  const decoder = decoderOf(name, encoding);
  try {
    return decoder.decode(bytes);
  } catch (error) {
    throw new EspalierError(
      `data ${name}: is not ${encoding} throughout: damaged, cut short, or of another encoding (--encoding).`,
      { cause: error },
    );
  }
}

function decoderOf(name: string, encoding: string): TextDecoder {
  try {
    return new TextDecoder(encoding, { fatal: true });
  } catch (error) {
    throw new EspalierError(
      `data ${name}: the encoding "${encoding}" is not known. Such are utf-8, windows-1252, utf-16le, shift_jis.`,
      { cause: error },
    );
  }
}

function refusal(name: string, bytes: Uint8Array): string | undefined {
  const csv = `${name.replace(/\.[^.]*$/, "")}.csv`;
  const known = containers.find(([magic]) => startsWith(bytes, magic));
  if (known !== undefined) return `is ${known[1]}, not CSV. Make a CSV file of it: ${known[2](name, csv)}.`;
  if (startsWith(bytes, "PK\x03\x04")) {
    return /\.(xlsx|xlsm|ods)$/i.test(name)
      ? 'is a workbook, not CSV. Make a CSV file of it: in Excel or LibreOffice, Save As, "CSV UTF-8".'
      : `is a zip archive, not CSV. Unpack it: unzip ${name}.`;
  }
  const start = new TextDecoder().decode(bytes.subarray(0, 256)).trimStart();
  if (/^(\{\s*"|\[\s*[[{])/.test(start)) {
    const lines = /\.(jsonl|ndjson)$/i.test(name) ? ", lines=True" : "";
    return `is JSON, not CSV. Make a CSV file of it: ${pandas(`read_json("${name}"${lines})`, csv)}.`;
  }
  return /^<(!doctype|html|\?xml)/i.test(start)
    ? "is HTML or XML, not CSV. Was a page saved in place of the file?"
    : undefined;
}

/** UTF-16 by its byte order mark, or by the zeros of which Western letters leave every second byte. */
function utf16Of(bytes: Uint8Array): "utf-16le" | "utf-16be" | undefined {
  if (startsWith(bytes, "\xFF\xFE")) return "utf-16le";
  if (startsWith(bytes, "\xFE\xFF")) return "utf-16be";
  const start = bytes.subarray(0, 4096);
  const [even, odd] = [0, 1].map((from) => start.filter((byte, i) => i % 2 === from && byte === 0).length);
  const most = 0.4 * start.length;
  return even! === 0 && odd! > most ? "utf-16le" : odd! === 0 && even! > most ? "utf-16be" : undefined;
}

function startsWith(bytes: Uint8Array, magic: string): boolean {
  return [...magic].every((letter, i) => bytes[i] === letter.charCodeAt(0));
}
