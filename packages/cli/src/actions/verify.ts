import { type Check, verify as compare } from "@espalier/bench";
import { EspalierError } from "@espalier/core";
import { createRegistry } from "@espalier/recipe/standard";
import { plural } from "@espalier/report/text";
import type { VerifyOptions } from "../commands/verify.ts";
import type { Context } from "../context.ts";
import { openBar } from "../output/progress.ts";
import { cut, tableLines } from "../output/table.ts";
import { openBackend } from "../shared/backend.ts";
import { dataFolders } from "../shared/data.ts";
import { showEvaluation } from "../shared/fitting.ts";

/** `espalier verify`. Prints every check of every folder. Throws an EspalierError at the end if any failed. */
export async function verify(
  folders: readonly string[],
  options: VerifyOptions,
  context: Context,
): Promise<void> {
  const registry = createRegistry();
  const backend = await openBackend(registry, options);
  const bar = await openBar(context);
  const all: { folder: string; checks: readonly Check[] }[] = [];
  try {
    for (const folder of folders) {
      const checks = await compare(context.path(folder), registry, backend, {
        ...dataFolders(context),
        signal: context.signal,
        onProgress: showEvaluation(bar, folder),
      });
      bar.stop();
      all.push({ folder, checks });
      if (!options.json) context.print(lines(folder, checks, context));
    }
  } finally {
    bar.stop();
  }
  const checks = all.flatMap((one) => one.checks);
  const failed = checks.filter(({ passed }) => !passed).length;
  if (options.json) context.print([JSON.stringify({ backend: backend.name, failed, folders: all }, null, 2)]);
  if (failed > 0) {
    throw new EspalierError(`${failed} of ${plural(checks.length, "check")} failed on ${backend.name}.`);
  }
}

function lines(folder: string, checks: readonly Check[], { colors: c, stdout }: Context): string[] {
  // The columns before a check's text: two spaces, a mark, the error and the tolerance.
  const room = stdout.columns === undefined ? Number.POSITIVE_INFINITY : stdout.columns - 29;
  const rows = checks.map(({ what, error, tolerance, passed, detail }) => [
    passed ? c.green("✓") : c.red("✗"),
    number(error),
    `≤ ${number(tolerance)}`,
    cut(detail === undefined ? what : `${what}: ${detail}`, room),
  ]);
  return [c.bold(folder), ...tableLines(rows, { align: ["left", "right", "left", "left"], indent: "  " })];
}

function number(n: number): string {
  if (n === 0 || n === 1) return `${n}`;
  return Number.isFinite(n) ? n.toExponential(1) : "too large";
}
