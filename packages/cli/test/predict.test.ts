import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { forecastingDataOf, formatCsv, loadSynthetic, withData } from "@espalier/datasets";
import { createForecaster } from "@espalier/forecaster";
import { encodeModel } from "@espalier/formats";
import { findModel, models } from "@espalier/models";
import { expect, it } from "vitest";
import { espalier, temporaryFolder, words } from "./espalier.ts";

const sizes = { inputLength: 24, horizon: 6, series: 3, width: 8, feedForward: 8, heads: 2 };
/** What single models have to be told beside, or do not take. */
const own: Readonly<Record<string, object>> = {
  DLinear: { width: undefined, feedForward: undefined, heads: undefined },
  Crossformer: { segmentLength: 6, layers: 2, factor: 2 },
  SedimarkCrossformer: { segmentLength: 6, blocks: 1, factor: 2 },
};
const decoders = new Set(["Transformer", "NonstationaryTransformer", "Informer", "Autoformer", "FEDformer"]);

it.each([...models.keys()])(
  "gives what one call of a forecaster gives, to the last digit: %s",
  async (name) => {
    const cwd = await temporaryFolder();
    const loaded = await loadSynthetic({ rows: 300, series: 3 });
    const decoded = decoders.has(name) ? { labelLength: 12, marks: 4 } : {};
    const given = Object.entries({ ...sizes, ...decoded, ...own[name] }).filter(([, value]) => value);
    const model = withData(
      findModel(name)(Object.fromEntries(given) as never).initialize(1),
      forecastingDataOf(loaded, { inputLength: 24, horizon: 6 }),
    );
    await writeFile(join(cwd, "m.safetensors"), encodeModel(model));
    await writeFile(join(cwd, "now.csv"), formatCsv(loaded.table));

    const { code, stdout } = await espalier(words("predict m.safetensors --input now.csv --json"), { cwd });
    const forecaster = await createForecaster(encodeModel(model));
    const { timestamps, values } = await forecaster.forecast(loaded.table);
    expect(code).toBe(0);
    const printed = JSON.parse(stdout);
    expect(printed.forecast.flat()).toEqual([...values]);
    expect(printed.dates).toEqual(
      [...timestamps!].map((t) => new Date(t).toISOString().slice(0, 19).replace("T", " ")),
    );
  },
);
