/** An error that a user can act on: one line that says what is wrong, where, and what to do. Shown without a stack trace. */
export class EspalierError extends Error {
  override readonly name = "EspalierError";
}

/**
 * Shapes or attributes that an operator does not accept. The message is only the reason, without a full stop; the
 * caller that knows the node prepends its name.
 */
export class ShapeError extends EspalierError {}

/** The known name closest to `given` by edit distance, if it is close enough to be a typing error. */
export function nearestName(given: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  // Part of the name must match: any two letters are two edits apart.
  let distance = Math.min(Math.max(2, Math.floor(given.length / 3)) + 1, given.length);
  for (const name of known) {
    const d = editDistance(given.toLowerCase(), name.toLowerCase());
    if (d < distance) {
      best = name;
      distance = d;
    }
  }
  return best;
}

/** The message for an unknown name: the closest known one first, then all of them. */
export function unknownName(what: string, given: string, known: readonly string[], more = ""): EspalierError {
  const suggestion = nearestName(given, known);
  const hint = suggestion === undefined ? "" : ` Did you mean "${suggestion}"?`;
  return new EspalierError(`${what} "${given}" is not known.${hint} Known: ${known.join(", ")}${more}.`);
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(substitution, previous[j]! + 1, row[j - 1]! + 1));
    }
    previous = row;
  }
  return previous[b.length]!;
}

/** Throws an EspalierError for a document (a plan, results, …) that a later version wrote. */
export function refuseNewerFormat(document: unknown, what: string, where: string, newest = 1): void {
  const { format } = (document ?? {}) as { readonly format?: unknown };
  if (typeof format === "number" && format > newest) {
    throw new EspalierError(
      `${where}: ${what} format ${format} is newer than this version of Espalier knows (${newest}). Update Espalier.`,
    );
  }
}
