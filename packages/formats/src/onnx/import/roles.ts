import type { TensorRole } from "@espalier/core/graph";
import { matchesAny } from "@espalier/core/pruning";
import type { Known, Source } from "./known.ts";
import { isBufferName, isMadeUp } from "./names.ts";

/** The tensors of a file that are trained, and those that are buffers; ONNX does not record this. */

/** The use of a tensor of the file. */
export interface Use {
  /**
   * - `weight`, `bias`: of a product or a normalisation: trained.
   * - `statistic`: a running mean or variance: updated, not trained.
   * - `operand`: anything else, such as what is added or multiplied element by element.
   */
  readonly as: "weight" | "bias" | "statistic" | "operand";
  /** The name it gets where the exporter lost its own. */
  readonly name?: string;
  /** The module that uses it, where the exporter tells modules apart from names. */
  readonly module?: string;
  /** Keep it transposed, [out, in], where the exporter had transposed it: PyTorch's layout. */
  readonly restore?: boolean;
  /** The bias of the same product: a copy of a layer has an equal one under another name. */
  readonly bias?: Known;
}

export interface RoleOptions {
  /** Roles that a file of Espalier's says itself. */
  readonly roles?: ReadonlyMap<string, TensorRole>;
  /** Patterns of names. */
  readonly trainable: readonly string[];
  readonly buffers: readonly string[];
}

/** A tensor's role, and whether only its name and its numbers speak for it: no use of it tells. */
export interface Role {
  readonly role: TensorRole;
  readonly guessed: boolean;
}

/** Names of the tensors whose roles are guesses. */
export interface GuessedRoles {
  readonly trainable: readonly string[];
  readonly buffers: readonly string[];
}

/** The role of a tensor that the file and the model call by these names. */
export function roleOf(
  known: Known,
  { name }: Source,
  as: Use["as"],
  { roles, trainable, buffers }: RoleOptions,
  names: readonly string[] = [name],
): Role {
  const certain = (role: TensorRole): Role => ({ role, guessed: false });
  // What a file of Espalier's own does not count as the model's is there for the format.
  if (roles !== undefined) return certain(roles.get(name) ?? "constant");
  if (known.kind !== "float") return certain("constant");
  if (names.some((one) => matchesAny(trainable, one))) return certain("trainable");
  if (names.some((one) => matchesAny(buffers, one)) || as === "statistic") return certain("buffer");
  // No training ends at infinity.
  if (!known.data.every(Number.isFinite)) return certain("buffer");
  if (isBufferName(name) || isSinusoids(known, as === "operand")) return { role: "buffer", guessed: true };
  if (as !== "operand" || /(^|[._])(weight|bias)$/.test(name)) return certain("trainable");
  return { role: isMadeUp(name) ? "buffer" : "trainable", guessed: true };
}

/**
 * A table of sines and cosines (Vaswani et al., NeurIPS 2017), or a basis of them: nothing that was trained has
 * sin² + cos² = 1 in every pair of columns, interleaved or in halves, nor, of what is no product's weight, a wave along
 * every line.
 */
function isSinusoids({ shape, data }: Known, orWaves: boolean): boolean {
  const extents = shape.filter((extent) => extent > 1);
  const width = extents.at(-1) ?? 0;
  if (extents.length !== 2 && extents.length !== 1) return false;
  const rows = data.length / width;
  if (orWaves && areWaves(data, width, 1, rows, width)) return true;
  // An identity has such pairs as well.
  if (extents.length === 1 || data.every(Number.isInteger)) return false;
  if (orWaves && areWaves(data, rows, width, width, 1)) return true;
  const paired = (offset: number, step: number) => {
    for (let row = 0; row < data.length; row += width) {
      for (let i = 0; i < width / 2; i++) {
        const at = row + i * step;
        if (!(Math.abs(data[at]! ** 2 + data[at + offset]! ** 2 - 1) < 1e-4)) return false;
      }
    }
    return true;
  };
  return width % 2 === 0 && (paired(1, 2) || paired(width / 2, 1));
}

/** Numbers of a line that are looked at: far along a table, float32 has lost its waves' phases. */
const maxLooked = 64;

/**
 * Whether every line (`length` numbers, `step` apart) satisfies x[t − 1] + x[t + 1] = 2 cos(ω) x[t], and one at least
 * goes up and down.
 */
function areWaves(
  data: Known["data"],
  length: number,
  step: number,
  lines: number,
  between: number,
): boolean {
  const looked = Math.min(length, maxLooked);
  if (looked < 8) return false;
  let largest = 0;
  for (const value of data) largest = Math.max(largest, Math.abs(value));
  let oscillates = false;
  for (let line = 0; line < lines; line++) {
    const at = (t: number) => data[line * between + t * step]!;
    let [across, square, straight] = [0, 0, true];
    for (let t = 1; t + 1 < looked; t++) {
      across += at(t) * (at(t - 1) + at(t + 1));
      square += at(t) ** 2;
    }
    const factor = square === 0 ? 2 : across / square;
    if (Math.abs(factor) > 2 + 1e-4) return false;
    for (let t = 1; t + 1 < looked; t++) {
      if (!(Math.abs(at(t - 1) + at(t + 1) - factor * at(t)) < 1e-3 * largest)) return false;
      straight &&= Math.abs(at(t - 1) + at(t + 1) - 2 * at(t)) < 1e-2 * largest;
    }
    oscillates ||= !straight;
  }
  return oscillates;
}
