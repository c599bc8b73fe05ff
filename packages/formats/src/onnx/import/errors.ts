import { EspalierError } from "@espalier/core";

/**
 * A part of a file that cannot be read. The message is only the reason, without a full stop; the caller that knows the
 * node or tensor prepends its name.
 */
export class UnreadableError extends EspalierError {}

/** An error whose message begins with its place in the file. */
class LocatedError extends EspalierError {}

/** Puts a place in the file before the reason of an error, unless the reason came with one from further inside. */
export function locate<T>(place: () => string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof EspalierError) || error instanceof LocatedError) throw error;
    throw new LocatedError(message(place(), error.message.replace(/\.$/, "")));
  }
}

/** The core's nodes have names that the file does not know: of them, only the operator is told, unless it is the same. */
function message(place: string, reason: string): string {
  const [, operator, rest] = /^node .*? \((\w+)\) of (.*)$/s.exec(reason) ?? [];
  if (operator === undefined) return `${place}: ${reason}.`;
  return place.endsWith(`(${operator})`) ? `${place} of ${rest}.` : `${place}: its ${operator} of ${rest}.`;
}
