import type { TensorData, Tensors } from "@espalier/core";
import { cutTable } from "./layers/patches.ts";

/**
 * A checkpoint without BatchNorm's batch counters, and with position tables cut to the rows a model uses: `tables` gives
 * their number by name.
 */
export function withoutCounters(tensors: Tensors, tables: Readonly<Record<string, number>>): Tensors {
  return new Map(
    [...tensors].flatMap(([name, tensor]): [string, TensorData][] => {
      if (name.endsWith("num_batches_tracked")) return [];
      const rows = Object.hasOwn(tables, name) ? tables[name]! : undefined;
      const longer = rows !== undefined && tensor.shape.length === 3 && tensor.shape[1]! > rows;
      return [[name, longer ? cutTable(tensor, rows) : tensor]];
    }),
  );
}
