import { createRegistry } from "@espalier/bench";
import type { Context } from "../context.ts";
import type { CommonOptions } from "../options/groups.ts";
import { tableLines } from "../output/table.ts";

/** `espalier backends`. A backend that cannot run says in its detail how to get it. */
export async function backends({ json }: CommonOptions, context: Context): Promise<void> {
  const found = [];
  for (const backend of createRegistry().backends.values()) {
    found.push({ name: backend.name, ...(await backend.availability()) });
  }
  if (json) {
    context.print([JSON.stringify({ backends: found }, null, 2)]);
    return;
  }
  const { colors: c } = context;
  const rows = found.map(({ name, available, detail }) => [
    available ? c.green("●") : c.dim("○"),
    c.bold(name),
    available ? detail : `not here: ${detail}`,
  ]);
  context.print(tableLines(rows, { align: ["left", "left", "left"] }));
}
