import { EspalierError } from "@espalier/core";

/** Does what reads a file; errors about its content begin with its name. */
export function located<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof EspalierError) throw new EspalierError(`${file}: ${error.message}`);
    throw error;
  }
}
