import { installTensorflow, tfjsCommand, uninstallTensorflow } from "@espalier/backend-tfjs/install";
import { EspalierError } from "@espalier/core";
import { unknownName } from "@espalier/core/documents";
import { formatBytes } from "@espalier/report/text";
import type { InstallOptions } from "../commands/backends.ts";
import type { Context } from "../context.ts";
import type { CommonOptions } from "../options/groups.ts";
import { openBar } from "../output/progress.ts";

/** `espalier backends install`. */
export async function installBackend(
  name: string,
  { wheel, force, json }: InstallOptions,
  context: Context,
): Promise<void> {
  checkName(name);
  const bar = await openBar(context);
  // Delete half an installation before the command ends.
  context.endsInOrder(bar.line);
  try {
    const { folder, record, changed } = await installTensorflow({
      wheel: wheel === undefined ? undefined : context.path(wheel),
      cache: cacheOf(context),
      force,
      signal: context.signal,
      onProgress: ({ label, share, bytes: n }) =>
        bar.update({ label, share, detail: n === undefined ? undefined : formatBytes(n) }),
    });
    bar.stop();
    if (json) {
      const { files: _, ...said } = record;
      context.print([JSON.stringify({ folder, changed, ...said }, null, 2)]);
      return;
    }
    const { tensorflow, tfjsNode } = record.versions;
    const size = Object.values(record.files).reduce((sum, file) => sum + file.bytes, 0);
    const what = `libtensorflow ${tensorflow}, tfjs-node ${tfjsNode}`;
    context.print([
      `${name}  ${what}${changed ? `, ${formatBytes(size)}` : ", already installed and working"}  ${context.colors.green(folder)}`,
    ]);
  } finally {
    bar.stop();
  }
}

/** `espalier backends uninstall`. */
export async function uninstallBackend(
  name: string,
  { json }: CommonOptions,
  context: Context,
): Promise<void> {
  checkName(name);
  const removed = await uninstallTensorflow(cacheOf(context));
  if (json) context.print([JSON.stringify({ removed: removed ?? null }, null, 2)]);
  else if (removed === undefined) context.print([`${name} is not installed; there is nothing to remove`]);
  else context.print([`${name}  removed, ${formatBytes(removed.bytes)}  ${removed.folder}`]);
}

function checkName(name: string): void {
  if (name === "webgpu" || name === "tfjs-webgpu")
    throw new EspalierError(`install backend ${name} with: npm install webgpu`);
  if (name.startsWith("tfjs")) throw new EspalierError(`install backend ${name} with: ${tfjsCommand}`);
  if (name !== "tensorflow") throw unknownName("backend to install", name, ["tensorflow"]);
}

function cacheOf({ env, path }: Context): string | undefined {
  return env.ESPALIER_CACHE ? path(env.ESPALIER_CACHE) : undefined;
}
