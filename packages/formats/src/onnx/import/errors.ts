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
    throw new LocatedError(`${place()}: ${reasonOf(error)}.`);
  }
}

/** The reason without a full stop, and without the names of nodes that the file does not have. */
function reasonOf({ message }: EspalierError): string {
  return message.replace(/^node .*? \((\w+)\) of /, "its $1 of ").replace(/\.$/, "");
}
