import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { EspalierError, type StrategyPlugin } from "@espalier/core";
import { encodePlan, readPlan } from "@espalier/core/pruning";
import type { Registry } from "@espalier/recipe";
import { createRegistry } from "@espalier/recipe/standard";
import type { Context } from "../context.ts";

/** The registry of everything found by name, including the strategies of `--plugin` packages. */
export async function registryWith(
  plugins: readonly string[] | undefined,
  context: Context,
): Promise<Registry> {
  return createRegistry(await Promise.all((plugins ?? []).map((name) => loadPlugin(name, context))));
}

/** SHA-256 of the files that `--plugin` packages begin with, by the strategy that each brings. */
export async function pluginChecksums(
  plugins: readonly string[] | undefined,
  context: Context,
): Promise<Readonly<Record<string, string>>> {
  const entries = (plugins ?? []).map(async (name): Promise<[string, string]> => {
    const { name: strategy } = await loadPlugin(name, context);
    const bytes = await readFile(new URL((await addressOf(name, context))!));
    return [strategy, createHash("sha256").update(bytes).digest("hex")];
  });
  return Object.fromEntries(await Promise.all(entries));
}

/** The `plugin` a package, a folder with a package, or a file exports. Running its code is what the user asks for. */
async function loadPlugin(name: string, context: Context): Promise<StrategyPlugin> {
  const { plugin } = await importFrom(name, context);
  const { name: strategy, create } = (plugin ?? {}) as Partial<StrategyPlugin>;
  if (typeof strategy !== "string" || typeof create !== "function") {
    throw new EspalierError(`plugin ${name}: does not export "plugin" with a name and a function create.`);
  }
  return guarded(plugin as StrategyPlugin, name, context);
}

/** The same plug-in, whose own mistakes are told as its own. */
function guarded(plugin: StrategyPlugin, name: string, { signal }: Context): StrategyPlugin {
  const fault = (error: unknown): unknown => {
    const told = ["EspalierError", "AbortError"].includes((error as Error | undefined)?.name ?? "");
    if (told || signal.aborted) return error;
    const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return new EspalierError(
      `plugin ${name}: strategy "${plugin.name}" failed: ${what}. --debug shows where.`,
      {
        cause: error,
      },
    );
  };
  return {
    ...plugin,
    create(options, resolve) {
      try {
        const strategy = plugin.create(options, resolve);
        if (typeof strategy?.plan !== "function")
          throw new TypeError("create gives no object with a method plan");
        return {
          name: strategy.name,
          async plan(request) {
            try {
              const plan = await strategy.plan(request);
              readPlan(encodePlan(plan), `plugin ${name}: the plan of "${plugin.name}"`);
              return plan;
            } catch (error) {
              throw fault(error);
            }
          },
        };
      } catch (error) {
        throw fault(error);
      }
    },
  };
}

async function importFrom(name: string, context: Context): Promise<{ readonly plugin?: unknown }> {
  const address = await addressOf(name, context);
  if (address === undefined) {
    throw new EspalierError(`plugin ${name}: no such file, and no package of that name is installed here.`);
  }
  try {
    return await import(address);
  } catch (error) {
    throw new EspalierError(`plugin ${name}: cannot be loaded: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

async function addressOf(name: string, context: Context): Promise<string | undefined> {
  const path = resolve(context.path(name));
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile()) return pathToFileURL(path).href;
  if (found?.isDirectory()) return packageAt(path);
  return resolved(name, join(resolve(context.path(".")), "package.json"));
}

/** The entry of the package in a folder, found by resolving the package's own name from inside. */
async function packageAt(folder: string): Promise<string | undefined> {
  const description = join(folder, "package.json");
  try {
    const { name } = JSON.parse(await readFile(description, "utf8")) as { name: string };
    return resolved(name, description);
  } catch {
    return undefined;
  }
}

function resolved(name: string, from: string): string | undefined {
  try {
    return pathToFileURL(createRequire(from).resolve(name)).href;
  } catch {
    return undefined;
  }
}
