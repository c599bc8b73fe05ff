import { readFileSync } from "node:fs";
import { cellsOf, findPreset, parseSweepConfig } from "@espalier/bench";
import { expect, it } from "vitest";

it.each(["sedimark", "sedimark-full", "kiefer", "kiefer-full"])(
  "%s, a preset once, is a sweep file",
  (name) => {
    const file = `studies/${name.replace("-full", "")}/${name.endsWith("-full") ? "full" : "reduced"}.yaml`;
    const text = readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");
    expect(cellsOf(parseSweepConfig(text, file)).length).toBeGreaterThan(50);
    expect(() => findPreset(name)).toThrow(
      `preset "${name}" is now a sweep file of Espalier's repository: espalier sweep ${file}`,
    );
  },
);
