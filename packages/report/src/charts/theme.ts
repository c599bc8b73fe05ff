/** A Vega-Lite specification: plain JSON, checked by compiling it. */
export type Spec = { readonly [key: string]: unknown };

/** Colours of everything except strategies. The page replaces them in a dark scheme. */
export const ink = "#1f2430";
export const muted = "#5c6470";
export const grid = "#e3e6ea";
export const paper = "#ffffff";

/**
 * Eight colours that can be told apart with the common colour deficiencies (the first four best), each with its
 * counterpart on a dark background.
 */
export const palette: readonly { readonly light: string; readonly dark: string }[] = [
  { light: "#0b69c2", dark: "#5aaeff" },
  { light: "#db6a00", dark: "#ff9a3d" },
  { light: "#0d9580", dark: "#35d6b0" },
  { light: "#8e1650", dark: "#e0529a" },
  { light: "#a0945e", dark: "#e6d96b" },
  { light: "#ec6ba8", dark: "#ffb7d5" },
  { light: "#5a3a1e", dark: "#a8805a" },
  { light: "#6a5fe0", dark: "#8a7cff" },
];

const shapes = ["circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "triangle-right"];

/** Appearance of a strategy in every chart of a report. */
export interface Look {
  readonly strategy: string;
  readonly color: string;
  readonly shape: string;
}

/** One colour per strategy; from the ninth on, colours repeat with another shape. */
export function looksOf(strategies: readonly string[]): Look[] {
  return strategies.map((strategy, i) => ({
    strategy,
    color: palette[i % palette.length]!.light,
    shape: shapes[i % shapes.length]!,
  }));
}

/** Line dashes of the variants of fine-tuning, in their order. */
export const dashes: readonly (readonly number[])[] = [
  [1, 0],
  [8, 3],
  [4, 2],
  [8, 3, 2, 3],
  [12, 3, 2, 3, 2, 3],
  [2, 1.5],
];

export const font = "Inter, system-ui, 'Helvetica Neue', Arial, sans-serif";

/** Pixels around a chart. */
export const chartPadding = 16;

/**
 * Settings that all charts share. The first line under the title names the models; lines are broken after a number of
 * letters.
 */
export function chart(title: string, section: string, note: string, body: Spec, letters = 76): Spec {
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    background: paper,
    padding: chartPadding,
    // At the edge of the whole, so that charts of one page share it.
    title: {
      text: wrap(title, Math.floor(0.8 * letters)),
      subtitle: [...wrap(section, letters), ...wrap(note, letters)],
      frame: "bounds",
    },
    ...body,
    config: {
      font,
      aria: false,
      view: { stroke: null },
      concat: { spacing: 28 },
      title: {
        anchor: "start",
        frame: "group",
        fontSize: 15,
        fontWeight: 600,
        color: ink,
        subtitleFontSize: 12,
        subtitleColor: muted,
        subtitlePadding: 5,
        offset: 14,
      },
      axis: {
        labelColor: muted,
        labelFontSize: 11,
        titleColor: ink,
        titleFontSize: 12,
        titleFontWeight: 500,
        titlePadding: 8,
        gridColor: grid,
        domainColor: muted,
        tickColor: muted,
        tickSize: 4,
        labelPadding: 4,
      },
      axisY: { domain: false, ticks: false },
      axisX: { grid: false },
    },
  };
}

/** Breaks text at spaces into lines of a maximum length: Vega neither breaks nor measures text. */
function wrap(text: string, most: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ").filter((w) => w !== "")) {
    const line = lines.at(-1);
    if (line !== undefined && line.length + 1 + word.length <= most)
      lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}
