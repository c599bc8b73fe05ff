import type { Spec } from "./charts/theme.ts";
import type { Table } from "./table.ts";

/** A chart with its title, caption and table. */
export interface Figure {
  /** Base name of its files. */
  readonly name: string;
  readonly title: string;
  /** A specification to draw, or an SVG that is already drawn. */
  readonly spec: Spec | string;
  /** Description for readers who cannot see it. */
  readonly alt: string;
  readonly caption: string;
  /** Its figures, unless another chart's table has them. */
  readonly table?: Table;
}
