import { EspalierError, ShapeError } from "@espalier/core";

/**
 * Something in a file that cannot be read. The message is the reason alone, without a full stop; whoever knows the node
 * or tensor puts its name before it.
 */
export class UnreadableError extends EspalierError {}

/** Puts a place in the file before the reason why what is there cannot be read. */
export function locate<T>(place: () => string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof UnreadableError || error instanceof ShapeError)) throw error;
    throw new EspalierError(`${place()}: ${error.message}.`);
  }
}
