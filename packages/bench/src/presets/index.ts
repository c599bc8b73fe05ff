import { unknownName } from "@espalier/core";
import type { SweepInput } from "../sweep/config.ts";
import { kiefer, kieferFull } from "./kiefer.ts";
import { quick } from "./quick.ts";
import { sedimark, sedimarkFull } from "./sedimark.ts";

/** Sweeps by name. */
export const presets: Readonly<Record<string, SweepInput>> = {
  quick,
  sedimark,
  "sedimark-full": sedimarkFull,
  kiefer,
  "kiefer-full": kieferFull,
};

/** A built-in sweep by its name. Throws an EspalierError with the nearest name for an unknown one. */
export function findPreset(name: string): SweepInput {
  const preset = Object.hasOwn(presets, name) ? presets[name] : undefined;
  if (preset === undefined)
    throw unknownName("preset", name, Object.keys(presets), " (or a path to a .yaml or .json file)");
  return preset;
}
