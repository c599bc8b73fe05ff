import { createRequire } from "node:module";
import { paper, type Spec } from "./charts/theme.ts";

/** Draws a chart as SVG text; the same specification gives the same text. SVG is returned unchanged. */
export async function renderSvg(spec: Spec | string): Promise<string> {
  if (typeof spec === "string") return spec;
  const { drawSpec } = await import("./vega.ts");
  return drawSpec(spec);
}

/**
 * Converts an SVG to a PNG of `scale` times its size, with text in a bundled font, since a server may have none. The
 * machine's fonts provide letters that it lacks.
 */
export async function renderPng(svg: string, scale = 2, loadSystemFonts = true): Promise<Uint8Array> {
  const { Resvg } = await import("@resvg/resvg-js");
  const image = new Resvg(svg, {
    fitTo: { mode: "zoom", value: scale },
    background: paper,
    font: {
      fontFiles: fontFiles(),
      loadSystemFonts,
      defaultFontFamily: "Inter",
      sansSerifFamily: "Inter",
    },
  });
  return image.render().asPng();
}

function fontFiles(): string[] {
  const { resolve } = createRequire(import.meta.url);
  return ["400Regular/Inter_400Regular", "500Medium/Inter_500Medium", "600SemiBold/Inter_600SemiBold"].map(
    (name) => resolve(`@expo-google-fonts/inter/${name}.ttf`),
  );
}
