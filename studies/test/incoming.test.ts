import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { randomInputs, reference, runModel, type Tensors } from "@espalier/core";
import { writeOnnx } from "@espalier/formats";
import { smallModels } from "@espalier/models/testing";
import { describe, expect, it, onTestFinished } from "vitest";
import { measureFolder } from "../incoming/rows.ts";
import { parseIncoming, type Row } from "../incoming/table.ts";

const committed = fileURLToPath(new URL("../../results/incoming.json", import.meta.url));
const exported = process.env.ESPALIER_INCOMING;
if (exported === undefined)
  console.warn(
    "skipped: measuring PyTorch's exports anew, for want of ESPALIER_INCOMING (see studies/incoming/export.py)",
  );

const listed = (tensors: Tensors) =>
  Object.fromEntries([...tensors].map(([name, { shape, data }]) => [name, { shape, data: [...data] }]));

describe("what comes in", () => {
  it("is measured of files with expected outputs, and says why another does not", async () => {
    const folder = await mkdtemp(join(tmpdir(), "espalier-incoming-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    await mkdir(folder, { recursive: true });
    const model = smallModels().get("iTransformer")!.initialize(1);
    const inputs = randomInputs(model);
    const meta = { library: "ours", model: "iTransformer", configuration: "a", exporter: "torch.export" };
    const example = {
      meta,
      inputs: listed(inputs),
      outputs: listed(await runModel(model, reference, inputs)),
    };
    await writeFile(join(folder, "a.onnx"), writeOnnx(model));
    await writeFile(join(folder, "a.json"), JSON.stringify(example));
    await writeFile(join(folder, "b.onnx"), "nothing");
    await writeFile(join(folder, "b.json"), JSON.stringify(example));
    await writeFile(
      join(folder, "c.fail.json"),
      JSON.stringify({ ...meta, exporter: "TorchScript", why: "no" }),
    );
    const [whole, broken, failed] = await measureFolder(folder);
    expect(whole).toMatchObject({
      exporter: "torch.export",
      outcome: { in: true, openBatch: true, heads: 6, pruned: true },
    });
    const { error, roundTrip } = (whole as { outcome: { error: number; roundTrip: number } }).outcome;
    expect(Math.max(error, roundTrip)).toBeLessThan(1e-5);
    expect(broken).toMatchObject({ outcome: { in: false, why: expect.any(String) } });
    expect(failed).toMatchObject({ exported: false, exporter: "TorchScript", why: "no" });
  });

  it.skipIf(!existsSync(committed))("is a table of that form, without a wrong result", async () => {
    const { rows } = parseIncoming(await readFile(committed, "utf8"));
    for (const row of rows)
      if (row.exported && row.outcome.in) expect(row.outcome.error, row.model).toBeLessThan(1e-5);
    const cases = rows.map(({ library, model, configuration, exporter }) =>
      [library, model, configuration, exporter].join(),
    );
    expect(new Set(cases).size).toBe(rows.length);
  });

  it.skipIf(exported === undefined)(
    "is measured anew, and replaces the table",
    { timeout: 3_600_000 },
    async () => {
      const rows: Row[] = await measureFolder(exported!, (row) => console.log(JSON.stringify(row)));
      const torch = process.env.ESPALIER_TORCH ?? "2.13";
      const lines = rows.map((row) => `    ${JSON.stringify(row)}`).join(",\n");
      await writeFile(
        committed,
        `{\n  "format": 1,\n  "torch": "${torch}",\n  "rows": [\n${lines}\n  ]\n}\n`,
      );
    },
  );
});
