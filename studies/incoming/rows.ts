import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Listed, measure } from "./measure.ts";
import type { Row } from "./table.ts";

/** A model and an exporter in export.py's output. */
interface Said {
  readonly library: string;
  readonly model: string;
  readonly configuration: string;
  readonly exporter: Row["exporter"];
  readonly why?: string;
}

/** Measures the files that export.py wrote in a folder: `NAME.onnx` with `NAME.json`, or `NAME.fail.json`. */
export async function measureFolder(folder: string, onRow: (row: Row) => void = () => {}): Promise<Row[]> {
  const rows: Row[] = [];
  for (const name of (await readdir(folder)).filter((one) => one.endsWith(".json")).sort()) {
    const document = JSON.parse(await readFile(join(folder, name), "utf8"));
    const { why, ...about }: Said = document.meta ?? document;
    const example = document as { inputs: Listed; outputs: Listed };
    const row: Row = name.endsWith(".fail.json")
      ? { ...about, exported: false, why: why! }
      : {
          ...about,
          exported: true,
          outcome: await measure(await readFile(join(folder, name.replace(/json$/, "onnx"))), example),
        };
    rows.push(row);
    onRow(row);
  }
  return rows;
}
