import { layerOf, type MaskPicture } from "@espalier/core";
import { formatShare } from "../numbers.ts";
import { shortNames } from "./heat-map.ts";
import { chartPadding, font, ink, muted, palette, paper } from "./theme.ts";

/** Number of shades for a share. */
const shades = 10;
/** Longest side of a picture, and the margins around it. */
const [side, gap, caption, margin] = [200, 22, 40, chartPadding];
const perRow = 4;

/**
 * Masks of several tensors as one SVG: kept weights in colour, masked ones in the background's colour, removed slices
 * in grey. Drawn in the tensor's original shape; small tensors have one square per element.
 */
export function maskSheet(pictures: readonly MaskPicture[], title: string, section: string): string {
  const names = shortNames(namesOf(pictures), 33);
  const columns = Math.min(perRow, Math.max(1, pictures.length));
  const lines = Array.from({ length: Math.ceil(pictures.length / columns) }, (_, i) =>
    pictures.slice(i * columns, (i + 1) * columns),
  );
  const width = Math.max(560, 2 * margin + columns * side + (columns - 1) * gap);
  const parts: string[] = [
    text(margin, 30, title, 15, ink, 600),
    text(margin, 49, section, 12, muted),
    ...legend(margin, 66),
  ];
  let top = 96;
  lines.forEach((line, row) => {
    const tallest = Math.max(...line.map((picture) => sizeOf(picture).height));
    line.forEach((picture, column) => {
      const x = margin + column * (side + gap);
      const { tensor, original, shape, density } = picture;
      const name = names[row * columns + column] ?? tensor;
      const cut = shape.join() === original.join() ? "" : ` → ${shape.join(" × ")}`;
      parts.push(
        text(x, top + 12, name, 11, ink, 500),
        text(x, top + 27, `${original.join(" × ")}${cut}: ${formatShare(density, 1)} kept`, 10.5, muted),
        `<g transform="translate(${x} ${top + caption})">${pictureOf(picture)}</g>`,
      );
    });
    top += caption + tallest + gap;
  });
  const height = top - gap + margin;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="${font}">`,
    `<rect width="${width}" height="${height}" fill="${paper}"/>`,
    ...parts,
    "</svg>",
  ].join("");
}

/** Names of layers, if each has one tensor here. */
function namesOf(pictures: readonly MaskPicture[]): string[] {
  const layers = pictures.map(({ tensor }) => layerOf(tensor));
  return new Set(layers).size === layers.length ? layers : pictures.map(({ tensor }) => tensor);
}

function sizeOf({ rows, columns }: MaskPicture): {
  readonly cell: number;
  readonly width: number;
  readonly height: number;
} {
  const cell = side / Math.max(rows, columns);
  return { cell, width: cell * columns, height: Math.max(cell * rows, 2) };
}

/** Runs of equal shade in a row are one rectangle; rectangles of one shade are one path. */
function pictureOf(picture: MaskPicture): string {
  const { cell, width, height } = sizeOf(picture);
  const scale = `scale(${Number(cell.toFixed(4))})`;
  const color = palette[0]!.light;
  return [
    `<rect width="${Number(width.toFixed(2))}" height="${Number(height.toFixed(2))}" fill="${paper}" stroke="${muted}" stroke-width="1"/>`,
    `<g transform="${scale}" shape-rendering="crispEdges">`,
    ...layers(picture, picture.removed, muted, 0.45),
    ...layers(picture, picture.kept, color, 1),
    "</g>",
  ].join("");
}

function layers({ rows, columns }: MaskPicture, shares: Float32Array, color: string, most: number): string[] {
  const paths = new Map<number, string>();
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; ) {
      const level = Math.round(shares[r * columns + c]! * shades);
      const start = c;
      while (c < columns && Math.round(shares[r * columns + c]! * shades) === level) c++;
      if (level > 0) paths.set(level, `${paths.get(level) ?? ""}M${start} ${r}h${c - start}v1h${start - c}z`);
    }
  }
  return [...paths].map(
    ([level, d]) =>
      `<path d="${d}" fill="${color}" fill-opacity="${Number(((most * level) / shades).toFixed(3))}"/>`,
  );
}

function legend(x: number, y: number): string[] {
  const entries = [
    { label: "kept", fill: palette[0]!.light, opacity: 1 },
    { label: "masked", fill: paper, opacity: 1 },
    { label: "removed", fill: muted, opacity: 0.45 },
  ];
  return entries.flatMap(({ label, fill, opacity }, i) => [
    `<rect x="${x + 90 * i}" y="${y}" width="12" height="12" fill="${fill}" fill-opacity="${opacity}" stroke="${muted}" stroke-width="1"/>`,
    text(x + 90 * i + 18, y + 10, label, 12, ink),
  ]);
}

function text(x: number, y: number, content: string, size: number, fill: string, weight = 400): string {
  return `<text x="${x}" y="${y}" font-size="${size}" font-weight="${weight}" fill="${fill}">${escaped(content)}</text>`;
}

function escaped(content: string): string {
  return content.replace(/[&<>"']/g, (mark) => `&#${mark.charCodeAt(0)};`);
}
