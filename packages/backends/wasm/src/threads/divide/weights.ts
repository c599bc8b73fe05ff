import type { KernelName } from "../../modules/names.ts";
import { calibration } from "../../weights/calibration.ts";
import { tokenShare } from "../../weights/cost.ts";
import { cut, cutByWeight, longestShare } from "./cut.ts";
import { changed, type Divider, numberAt } from "./divider.ts";

/** y = W·x by panels: by tokens, or, where there are few, by panels of outputs. */
const dense: Divider = {
  cost(call, { panelRows }) {
    const [V, N, K] = [0, 1, 2].map((at) => numberAt(call, at)) as [number, number, number];
    const { perVector, perBlock } = calibration.rates.panels;
    return Math.ceil(N / panelRows) * panelRows * K * (V * perVector + Math.ceil(V / 2) * perBlock);
  },
  divide(call, parts, { panelRows }) {
    const [V, N, K] = [0, 1, 2].map((at) => numberAt(call, at)) as [number, number, number];
    // Four strips of two vectors are packed at a time.
    const grain = V >= 24 * parts ? 8 : 2;
    if (longestShare(V, parts, grain) <= longestShare(N, parts, panelRows) + 0.05) {
      return cut(V, parts, grain).map(([start, end]) => {
        const by = 16 * start;
        return changed(call, { 0: end - start }, { 3: by, 7: by, 9: by });
      });
    }
    return cut(N, parts, panelRows).map(([start, end]) => {
      const rows = numberAt(call, 8) * start;
      return changed(call, { 1: end - start }, { 5: 4 * K * start, 6: 4 * start, 7: rows, 9: rows });
    });
  },
};

/** The same for one token: by panels of outputs. */
const denseToken: Divider = {
  cost(call) {
    const { perVector, perBlock } = calibration.rates.panels;
    return tokenShare * numberAt(call, 0) * numberAt(call, 1) * (perVector + perBlock);
  },
  divide(call, parts, { panelRows }) {
    const [N, K, pitch] = [0, 1, 7].map((at) => numberAt(call, at)) as [number, number, number];
    return cut(N, parts, panelRows).map(([start, end]) => {
      const rows = pitch * start;
      return changed(call, { 0: end - start }, { 4: 4 * K * start, 5: 4 * start, 6: rows, 8: rows });
    });
  },
};

interface SparseRule {
  /** Most vectors of tokens in one pass, and rows in a block. */
  readonly widest: number;
  readonly block: number;
  /** Passes a part must have to be cut by tokens: fewer cost less by rows, which read all activations. */
  readonly passes: number;
  /** Positions of arguments. */
  readonly at: {
    readonly x: number;
    readonly rows: number;
    readonly offsets: number;
    readonly values: number;
    readonly y: number;
    readonly residual: number;
  };
}

const direct = { passes: 4, at: { x: 2, rows: 3, offsets: 4, values: 5, y: 7, residual: 8 } };
/** Every part by rows would bring all strips of activations together. */
const strips = { passes: 1, at: { x: 3, rows: 5, offsets: 6, values: 7, y: 9, residual: 10 } };

/** y = W·x by sparse rows: by rows, or by tokens where there are many. */
function sparse({ widest, block, passes, at }: SparseRule): Divider {
  const { perVector, perBlock, perRow } =
    calibration.rates[block === 1 ? "rows" : block === 2 ? "pairs" : "quads"];
  return {
    cost(call) {
      const V = numberAt(call, 0);
      const starts = call.rowStarts!;
      const count = Math.ceil(V / widest);
      return starts.at(-1)! * (V * perVector + count * perBlock) + (starts.length - 1) * count * perRow;
    },
    divide(call, parts) {
      const V = numberAt(call, 0);
      const { x, rows, offsets, values, y, residual } = at;
      // The last two passes may be narrower, and are one part's: borders are where one thread begins a pass, too.
      const whole = Math.floor(V / widest) - 1;
      if (whole >= passes * parts) {
        return cut(Math.ceil(V / widest), parts).map(([first, last], i, all) => {
          const [start, end] = [first * widest, i === all.length - 1 ? V : last * widest];
          const by = 16 * start;
          return changed(call, { 0: end - start }, { [x]: by, [y]: by, [residual]: by });
        });
      }
      const starts = call.rowStarts!;
      return cutByWeight(starts, parts, 2).map(([first, last]) =>
        changed(
          call,
          { 1: last - first },
          { [rows]: 16 * first, [offsets]: 4 * starts[first]!, [values]: 4 * block * starts[first]! },
        ),
      );
    },
  };
}

/** Gradients where a mask is open: by rows. */
const maskedGradient: Divider = {
  cost: (call) =>
    call.rowStarts!.at(-1)! * calibration.gradients.masked.perVector * Math.ceil(numberAt(call, 5) / 4),
  divide(call, parts) {
    const starts = call.rowStarts!;
    return cutByWeight(starts, parts, 2).map(([first, last]) => {
      const values = 4 * starts[first]!;
      return changed(call, { 0: last - first }, { 1: 16 * first, 2: values, 6: values });
    });
  },
};

const packPanels: Divider = {
  cost: (call) => 0.2 * numberAt(call, 0) * numberAt(call, 1),
  divide: (call, parts, { panelRows }) =>
    cut(numberAt(call, 0), parts, panelRows).map(([start, end]) =>
      changed(call, { 0: end - start }, { 2: start * numberAt(call, 3), 5: 4 * start * numberAt(call, 1) }),
    ),
};

export const weightDividers: Partial<Record<KernelName, Divider>> = {
  dense,
  denseToken,
  sparseRows: sparse({ widest: 6, block: 1, ...direct }),
  sparsePairs: sparse({ widest: 6, block: 2, ...direct }),
  sparseQuads: sparse({ widest: 2, block: 4, ...direct }),
  sparseRowStrips: sparse({ widest: 4, block: 1, ...strips }),
  sparsePairStrips: sparse({ widest: 4, block: 2, ...strips }),
  maskedGradient,
  packPanels,
};
