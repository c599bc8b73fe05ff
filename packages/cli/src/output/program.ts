import type { CallDescription, ProgramDescription } from "@espalier/core";
import type { Colors } from "../context.ts";
import { bytes, count, percent, plural } from "./numbers.ts";
import { shortName, tableLines } from "./table.ts";

/** What a model becomes on a backend for a batch. */
export interface DescribedProgram extends ProgramDescription {
  readonly name: string;
  readonly backend: string;
  readonly batch: number;
}

/** Beside a node: kernel, format, density and cost. */
const besideNode = 62;

export function programLines(
  { name, backend, batch, part, threads = 1, bytes: memory, calls }: DescribedProgram,
  columns = Number.POSITIVE_INFINITY,
  colors: Colors,
): string[] {
  const width = Math.max(16, columns - besideNode);
  const head = ["node", "kernel", "weight", "density", "cost"].map((title) => colors.bold(title));
  const costs = calls.flatMap(({ cost }) => (cost === undefined ? [] : [cost]));
  const total = costs.reduce((sum, cost) => sum + cost, 0);
  const parted = part === batch ? "" : `, ${count(part)} at a time`;
  const expected =
    costs.length === 0 ? "" : `; ${plural(costs.length, "product")} with weights, expected ${time(total)}`;
  return [
    `${colors.bold(name)} on ${backend}, batch ${count(batch)}${parted}`,
    `${plural(calls.length, "call")}${expected}`,
    ...(threads > 1 ? [threadsLine(threads, calls, part < batch)] : []),
    "",
    ...tableLines([
      ["intermediate values (arena)", bytes(memory.arena)],
      ["weights, packed", bytes(memory.weights)],
      ["kept between runs", bytes(memory.kept)],
    ]),
    "",
    ...tableLines([head, ...calls.map((call) => row(call, width))], {
      align: ["left", "left", "left", "right", "right"],
    }),
  ];
}

/** What threads do: share calls, or run parts of a batch each by itself. */
function threadsLine(threads: number, calls: readonly CallDescription[], parted: boolean): string {
  const shared = calls.filter(({ parts = 1 }) => parts > 1).length;
  const how =
    parted && shared === 0 ? "run parts of the batch side by side" : `share ${count(shared)} of the calls`;
  return `${count(threads)} threads ${how}`;
}

function row({ node, kernel, format = "", density, cost }: CallDescription, width: number): string[] {
  return [
    shortName(node, width),
    kernel,
    format,
    density === undefined ? "" : percent(density, 0),
    cost === undefined ? "" : time(cost),
  ];
}

/** Nanoseconds as `840 ns`, `12.3 µs` or `4.56 ms`. */
function time(nanoseconds: number): string {
  if (nanoseconds < 1000) return `${nanoseconds.toFixed(0)} ns`;
  const [n, unit] = nanoseconds < 1e6 ? [nanoseconds / 1e3, "µs"] : [nanoseconds / 1e6, "ms"];
  return `${n.toFixed(n < 10 ? 2 : n < 100 ? 1 : 0)} ${unit}`;
}
