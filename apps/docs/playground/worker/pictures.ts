import { headDensities, type Model, maskPicture, prunableTensors } from "@espalier/core";

/** A weight matrix as it was drawn, and what is left of it; cells row-major. */
export interface Picture {
  readonly tensor: string;
  /** Shape in the unpruned model, and now; empty if pruning removed the whole tensor. */
  readonly original: readonly number[];
  readonly shape: readonly number[];
  readonly rows: number;
  readonly columns: number;
  /** Share of each cell that is kept, and that is masked, of 255; the rest was removed. */
  readonly kept: Uint8Array<ArrayBuffer>;
  readonly masked: Uint8Array<ArrayBuffer>;
  /** Kept ÷ elements of the unpruned model. */
  readonly density: number;
}

/** The heads of one attention. */
export interface HeadRow {
  readonly name: string;
  /** By head of the unpruned model: kept ÷ weights it had; 0 for a head that is gone. */
  readonly density: readonly number[];
}

/** Cells along the longer side of a picture. */
const maxCells = 64;

/** Every prunable tensor of the model, those that pruning removed wholly as well, in graph order. */
export function picturesOf(dense: Model, pruned: Model): Picture[] {
  const left = new Set(prunableTensors(pruned));
  return prunableTensors(dense).map((tensor) => {
    const there = left.has(tensor);
    const picture = maskPicture(there ? pruned : dense, tensor, { maxCells });
    const { original, rows, columns, kept, masked } = picture;
    const level = (shares: Float32Array) =>
      Uint8Array.from(shares, (share) => (there ? Math.round(255 * share) : 0));
    return {
      tensor,
      original,
      shape: there ? picture.shape : [],
      rows,
      columns,
      kept: level(kept),
      masked: level(masked),
      density: there ? picture.density : 0,
    };
  });
}

/** The heads of every attention of the model, in graph order. */
export function headsOf(dense: Model, pruned: Model): HeadRow[] {
  const left = new Map(headDensities(pruned).map((row) => [row.dimension, row.density]));
  return headDensities(dense).map(({ name, dimension, density }) => ({
    name,
    density: left.get(dimension) ?? density.map(() => 0),
  }));
}
