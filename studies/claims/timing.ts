import { formatSpeedupStat, type Section, type Stat, type Table, type TimingRow } from "@espalier/report";
import { countOf, faster } from "./claim.ts";

/** Speed-ups of one strategy's sparsest model that was timed: a row a model, a column a backend and batch size. */
export function speedupTable(sections: readonly Section[], strategy: string, caption: string): Table {
  const rows = sections.map((section) => ({ section, timings: sparsestTimings(section, strategy) }));
  const places = distinctPlaces(rows.flatMap(({ timings }) => timings));
  return {
    caption: `${caption}. ~: too noisy to tell`,
    columns: [
      { label: "model" },
      ...places.map(({ backend, batch }) => ({ label: `${backend}, batch ${batch}`, numeric: true })),
    ],
    rows: rows.map(({ section, timings }) => [
      section.model,
      ...places.map(({ backend, batch }) => {
        const timing = timings.find((row) => row.backend === backend && row.batch === batch);
        if (timing === undefined) return "";
        return `${isNoisy(timing.speedup) ? "~ " : ""}${formatSpeedupStat(timing.speedup)}`;
      }),
    ]),
  };
}

/** Timings of one strategy's sparsest models: which are faster than their dense ones, and how many tell nothing. */
export interface Gains {
  /** Of each timing that tells: whether the pruned model is faster, beyond the spread. */
  readonly outcomes: readonly boolean[];
  /** Timings whose spread is too large to tell. */
  readonly noisy: number;
}

/** Spread ÷ speed-up beyond which a timing tells nothing: the machine did something else. */
const maxNoise = 0.25;

function isNoisy({ mean, spread }: Stat): boolean {
  return spread > maxNoise * mean;
}

export function gainsOf(sections: readonly Section[], strategy: string): Gains {
  const all = sections.flatMap((section) => sparsestTimings(section, strategy).map(({ speedup }) => speedup));
  const clear = all.filter((speedup) => !isNoisy(speedup));
  return {
    outcomes: clear.map(({ mean, spread }) => mean - spread > faster),
    noisy: all.length - clear.length,
  };
}

/** `3 of 5 timings (and 2 too noisy to tell)`. */
export function gainsText({ outcomes, noisy }: Gains): string {
  const more = noisy === 0 ? "" : ` (and ${noisy} too noisy to tell: the machine was busy beside)`;
  return `${countOf(outcomes, "timings")}${more}`;
}

function sparsestTimings({ timings }: Section, strategy: string): TimingRow[] {
  const own = timings.filter((row) => row.strategy === strategy);
  const highest = Math.max(...own.map(({ asked }) => asked));
  return own.filter(({ asked }) => asked === highest);
}

function distinctPlaces(timings: readonly TimingRow[]): Pick<TimingRow, "backend" | "batch">[] {
  const places = new Map(timings.map(({ backend, batch }) => [`${backend} ${batch}`, { backend, batch }]));
  return [...places.values()].sort((a, b) =>
    a.backend < b.backend ? -1 : a.backend > b.backend ? 1 : a.batch - b.batch,
  );
}
