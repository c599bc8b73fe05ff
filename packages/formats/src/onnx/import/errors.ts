import { EspalierError, ShapeError } from "@espalier/core";

/**
 * A part of a file that cannot be read. The message is only the reason, without a full stop; the caller that knows the
 * node or tensor prepends its name.
 */
export class UnreadableError extends EspalierError {}

/** Puts a place in the file before the reason of an UnreadableError. */
export function locate<T>(place: () => string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof UnreadableError || error instanceof ShapeError)) throw error;
    throw new EspalierError(`${place()}: ${error.message}.`);
  }
}
