import { cpus } from "node:os";
import { type BackendTimes, backendTasks } from "@espalier/bench";
import type { Availability } from "@espalier/core";
import { formatTime, plural } from "@espalier/report/text";
import type { Colors } from "../context.ts";
import { tableLines } from "./table.ts";

/** A backend in the list. */
export interface ListedBackend extends Availability {
  readonly name: string;
  readonly bench?: BackendTimes;
}

/** The processor's name. */
export function processor(): string {
  return cpus()[0]?.model.trim() || process.arch;
}

/** A table of the backends that can run, then a line for each that cannot: what is missing, and the command to install it. */
export function backendLines(listed: readonly ListedBackend[], bench: boolean, colors: Colors): string[] {
  const here = listed.filter(({ available }) => available);
  const gone = listed.filter(({ available }) => !available);
  const width = Math.max(...listed.map(({ name }) => name.length));
  const titles = [
    "",
    "backend",
    "device",
    "threads",
    "SIMD",
    ...(bench ? ["product", "step"] : []),
    "runs on",
  ];
  const rows = here.map((backend) => row(backend, bench, width, colors));
  const align = titles.map((title) => (/threads|product|step/.test(title) ? "right" : "left"));
  return [
    ...tableLines([titles.map((title) => colors.dim(title)), ...rows], { align }),
    ...(gone.length === 0 ? [] : [""]),
    ...tableLines(
      gone.map(({ name, detail }) => [colors.dim("○"), colors.bold(name.padEnd(width)), detail]),
      { align: ["left", "left", "left"] },
    ),
    ...(bench ? ["", ...footnotes(here).map((line) => colors.dim(line))] : []),
  ];
}

function row(
  { name, bench, ...has }: ListedBackend,
  timed: boolean,
  width: number,
  colors: Colors,
): string[] {
  const versions = Object.entries(has.versions ?? {}).map(([what, version]) => `${what} ${version}`);
  return [
    colors.green("●"),
    colors.bold(name.padEnd(width)),
    has.device ?? processor(),
    has.threads === undefined ? "–" : `${has.threads}`,
    has.simd ?? "–",
    ...(timed ? timesOf(bench, has.software ?? false) : []),
    versions.length === 0 ? has.detail : versions.join(", "),
  ];
}

function timesOf(bench: BackendTimes | undefined, software: boolean): [string, string] {
  if (bench === undefined) return ["–", "–"];
  if ("error" in bench) return ["failed", "failed"];
  const mark = software ? "*" : "";
  const rate = bench.gflops >= 10 ? bench.gflops.toFixed(0) : bench.gflops.toFixed(2);
  const { median } = bench.step;
  return [`${rate} GFLOP/s${mark}`, `${formatTime(median)}${mark}`];
}

function footnotes(here: readonly ListedBackend[]): string[] {
  const failed = here.flatMap(({ name, bench }) =>
    bench !== undefined && "error" in bench ? [`${name} failed: ${bench.error}`] : [],
  );
  const software = here.some((backend) => backend.software);
  return [
    `product: ${backendTasks.product}; step: ${backendTasks.step}.`,
    `Medians of ${plural(here.length, "backend")}, timed in turn, including copies of inputs and outputs.`,
    ...(software ? ["* software stands in for a GPU: these times say nothing about a real one."] : []),
    ...failed,
  ];
}
