import type { Rule } from "../call.ts";
import { activations } from "./activations.ts";
import { arithmetic } from "./arithmetic.ts";
import { attentions } from "./attention.ts";
import { choices } from "./choices.ts";
import { constants } from "./constants.ts";
import { einsums } from "./einsum.ts";
import { layout } from "./layout.ts";
import { positionLists } from "./listed.ts";
import { normalizations } from "./normalizations.ts";
import { padding } from "./padding.ts";
import { picking } from "./picking.ts";
import { positions } from "./positions.ts";
import { products } from "./products.ts";
import { recurrences } from "./recurrent.ts";
import { reductions } from "./reductions.ts";
import { resampling } from "./resize.ts";
import { rotations } from "./rotary.ts";
import { sequences } from "./sequences.ts";
import { spectra } from "./spectra.ts";
import { windows } from "./windows.ts";

/** The rule for each operator of ONNX, by name. `If` and functions are handled by the graph reader. */
export const rules: ReadonlyMap<string, Rule> = new Map(
  Object.entries({
    ...constants,
    ...arithmetic,
    ...activations,
    ...choices,
    ...layout,
    ...picking,
    ...positions,
    ...positionLists,
    ...padding,
    ...products,
    ...attentions,
    ...rotations,
    ...einsums,
    ...reductions,
    ...recurrences,
    ...normalizations,
    ...windows,
    ...resampling,
    ...spectra,
    ...sequences,
  }),
);
