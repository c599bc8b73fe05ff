/** The only module that uses Vega. The published one contains Vega and Vega-Lite: see `build/bundle.ts`. */
import { parse, resetSVGDefIds, View, Warn } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";

/** Draws a Vega-Lite specification as SVG text; the same specification gives the same text. */
export async function drawSpec(spec: { readonly [key: string]: unknown }): Promise<string> {
  const { spec: compiled } = compile(spec as unknown as TopLevelSpec);
  const view = new View(parse(compiled), { renderer: "none", logLevel: Warn });
  // Names of clip paths are numbered over the whole process.
  resetSVGDefIds();
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}
