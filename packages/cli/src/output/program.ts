import type { CallDescription, ProgramDescription } from "@espalier/core";
import { formatBytes, formatCount, formatShare, formatTime, plural } from "@espalier/report/text";
import type { Colors } from "../context.ts";
import { shortName, tableLines, textLines } from "./table.ts";

/** The program that a backend compiles a model to for a batch. */
export interface DescribedProgram extends ProgramDescription {
  readonly name: string;
  readonly backend: string;
  readonly batch: number;
}

/** Room that the columns next to a node take: kernel, format, density and cost. */
const besideNode = 62;

export function programLines(
  { name, backend, batch, part, threads = 1, bytes: memory, calls, rates }: DescribedProgram,
  columns = Number.POSITIVE_INFINITY,
  colors: Colors,
): string[] {
  const width = Math.max(16, columns - besideNode);
  const head = ["node", "kernel", "weight", "density", "cost"].map((title) => colors.bold(title));
  const costs = calls.flatMap(({ cost }) => (cost === undefined ? [] : [cost]));
  const total = costs.reduce((sum, cost) => sum + cost, 0);
  const parted = part === batch ? "" : `, ${formatCount(part)} at a time`;
  const expected =
    costs.length === 0
      ? ""
      : `; ${plural(costs.length, "product")} with weights, expected ${formatTime(total / 1e6)}${rates === undefined ? "" : `, by rates of ${rates}`}`;
  return [
    `${colors.bold(name)} on ${backend}, batch ${formatCount(batch)}${parted}`,
    ...textLines(`${plural(calls.length, "call")}${expected}`),
    ...(threads > 1 ? [threadsLine(threads, calls, part < batch)] : []),
    "",
    ...tableLines([
      ["intermediate values (arena)", formatBytes(memory.arena)],
      ["weights, packed", formatBytes(memory.weights)],
      ["kept between runs", formatBytes(memory.kept)],
    ]),
    "",
    ...tableLines([head, ...calls.map((call) => row(call, width))], {
      align: ["left", "left", "left", "right", "right"],
    }),
  ];
}

/** How threads are used: they share calls, or each runs a part of the batch. */
function threadsLine(threads: number, calls: readonly CallDescription[], parted: boolean): string {
  const shared = calls.filter(({ parts = 1 }) => parts > 1).length;
  const how =
    parted && shared === 0 ? "each run a part of the batch" : `share ${formatCount(shared)} of the calls`;
  return `${formatCount(threads)} threads ${how}`;
}

function row({ node, kernel, format = "", density, cost }: CallDescription, width: number): string[] {
  return [
    shortName(node, width),
    kernel,
    format,
    density === undefined ? "" : formatShare(density),
    cost === undefined ? "" : formatTime(cost / 1e6),
  ];
}
