import { EspalierError } from "@espalier/core";

/** Runs a script; what its user can mend ends in one line on stderr and an exit code. */
export async function runScript(
  name: string,
  main: () => Promise<void>,
  {
    code = 2,
    known = () => false,
  }: { readonly code?: number; readonly known?: (error: object) => boolean } = {},
): Promise<void> {
  try {
    await main();
  } catch (error) {
    const flags = String((error as { code?: string }).code).startsWith("ERR_PARSE_ARGS");
    if (!(error instanceof EspalierError) && !flags && !known(error as object)) throw error;
    console.error(`${name}: ${(error as Error).message}`);
    process.exitCode = code;
  }
}
