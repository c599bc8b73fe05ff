import type { TensorData, Tensors } from "@espalier/core";
import { cutTable } from "./layers/positions.ts";

/**
 * The checkpoint without tensors that only its original implementation needs: BatchNorm's batch counters, and rows of
 * position tables that a model does not use. `tables` gives the number of rows in use by name; 0 drops a table.
 */
export function withoutUnused(tensors: Tensors, tables: Readonly<Record<string, number>>): Tensors {
  return new Map(
    [...tensors].flatMap(([name, tensor]): [string, TensorData][] => {
      if (name.endsWith("num_batches_tracked")) return [];
      const rows = Object.hasOwn(tables, name) ? tables[name]! : undefined;
      if (rows === 0) return [];
      const longer = rows !== undefined && tensor.shape.length === 3 && tensor.shape[1]! > rows;
      return [[name, longer ? cutTable(tensor, rows) : tensor]];
    }),
  );
}
