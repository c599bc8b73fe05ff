import { type BackendTimes, measureBackends } from "@espalier/bench";
import { createRegistry } from "@espalier/recipe/standard";
import type { BackendsOptions } from "../commands/backends.ts";
import type { Context } from "../context.ts";
import { backendLines, type ListedBackend, processor } from "../output/backends.ts";
import { openBar } from "../output/progress.ts";

/** `espalier backends`. The detail of a backend that cannot run says how to get it. */
export async function backends(
  names: readonly string[],
  { json, bench }: BackendsOptions,
  context: Context,
): Promise<void> {
  const registry = createRegistry();
  const all =
    names.length === 0 ? [...registry.backends.values()] : names.map((name) => registry.backend(name));
  const found = await Promise.all(
    all.map(async (backend) => ({ backend, ...(await backend.availability()), name: backend.name })),
  );
  const times = bench ? await measure(found, context) : undefined;
  const listed = found.map(({ backend: _, ...rest }): ListedBackend => {
    const own = times?.find(({ name }) => name === rest.name);
    return {
      ...rest,
      ...(rest.available ? { device: rest.device ?? processor() } : {}),
      ...(own && { bench: own }),
    };
  });
  if (json) context.print([JSON.stringify({ backends: listed.map(asJson) }, null, 2)]);
  else context.print(backendLines(listed, bench ?? false, context.colors));
}

async function measure(
  found: readonly { available: boolean; backend: Parameters<typeof measureBackends>[0][number] }[],
  context: Context,
): Promise<BackendTimes[]> {
  const bar = await openBar(context);
  let tasks = 0;
  try {
    return await measureBackends(
      found.flatMap(({ available, backend }) => (available ? [backend] : [])),
      {
        signal: context.signal,
        onRound: (done, rounds) => {
          bar.update({ label: "measuring", share: (tasks + done / rounds) / 2 });
          if (done === rounds) tasks++;
        },
      },
    );
  } finally {
    bar.stop();
  }
}

function asJson({ bench, ...listed }: ListedBackend): object {
  if (bench === undefined) return listed;
  const { name: _, ...times } = bench;
  return { ...listed, bench: times };
}
