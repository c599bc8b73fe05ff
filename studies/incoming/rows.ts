import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Listed, measure } from "./measure.ts";
import type { Row } from "./table.ts";

/** A model and an exporter in export.py's output. */
interface Said {
  readonly library: string;
  readonly model: string;
  readonly exporter: string;
  readonly why?: string;
}

const exporters = {
  TorchScript: "TorchScript",
  dynamo: "torch.export",
  "torch.export": "torch.export",
} as const;

/** Measures the files that export.py wrote in a folder: `NAME.onnx` with `NAME.json`, or `NAME.fail.json`. */
export async function measureFolder(folder: string, onRow: (row: Row) => void = () => {}): Promise<Row[]> {
  const rows: Row[] = [];
  for (const name of (await readdir(folder)).filter((one) => one.endsWith(".json")).sort()) {
    const document = JSON.parse(await readFile(join(folder, name), "utf8"));
    const { library, model, exporter, why }: Said = document.meta ?? document;
    const about = { library, model, exporter: exporters[exporter as keyof typeof exporters] };
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
