import { EspalierError } from "@espalier/core";
import { unknownName } from "@espalier/core/documents";
import type { SweepInput } from "../sweep/config.ts";
import { quick } from "./quick.ts";

/** Sweeps by name. */
export const presets: Readonly<Record<string, SweepInput>> = { quick };

/** Presets of earlier versions that are now sweep files of the repository. */
const moved: ReadonlyMap<string, string> = new Map([
  ["sedimark", "studies/sedimark/smoke.yaml"],
  ["sedimark-full", "studies/sedimark/full.yaml"],
  ["kiefer", "studies/kiefer/smoke.yaml"],
  ["kiefer-full", "studies/kiefer/full.yaml"],
]);

/** Returns a built-in sweep by name. Throws an EspalierError with the nearest name for an unknown one. */
export function findPreset(name: string): SweepInput {
  const preset = Object.hasOwn(presets, name) ? presets[name] : undefined;
  if (preset !== undefined) return preset;
  const file = moved.get(name);
  if (file !== undefined)
    throw new EspalierError(
      `preset "${name}" is now a sweep file of Espalier's repository: espalier sweep ${file}`,
    );
  throw unknownName("preset", name, Object.keys(presets), " (or a path to a .yaml or .json file)");
}
