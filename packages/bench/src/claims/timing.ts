import { formatSpeedupStat } from "../report/numbers.ts";
import type { Section, TimingRow } from "../report/rows.ts";
import type { Table } from "../report/tables.ts";
import { faster } from "./claim.ts";

/** Speed-ups of one strategy's sparsest model that was timed: a row a model, a column a backend and batch size. */
export function speedupTable(sections: readonly Section[], strategy: string, caption: string): Table {
  const rows = sections.map((section) => ({ section, timings: sparsestTimings(section, strategy) }));
  const places = distinctPlaces(rows.flatMap(({ timings }) => timings));
  return {
    caption,
    columns: [
      { label: "model" },
      ...places.map(({ backend, batch }) => ({ label: `${backend}, batch ${batch}`, numeric: true })),
    ],
    rows: rows.map(({ section, timings }) => [
      section.model,
      ...places.map(({ backend, batch }) => {
        const timing = timings.find((row) => row.backend === backend && row.batch === batch);
        return timing === undefined ? "" : formatSpeedupStat(timing.speedup);
      }),
    ]),
  };
}

/** Whether each pruned model that was timed is faster than its dense one, beyond the spread. */
export function fasterOutcomes(sections: readonly Section[], strategy: string): boolean[] {
  return sections.flatMap((section) =>
    sparsestTimings(section, strategy).map(({ speedup }) => speedup.mean - speedup.spread > faster),
  );
}

function sparsestTimings({ timings }: Section, strategy: string): TimingRow[] {
  const own = timings.filter((row) => row.strategy === strategy);
  const most = Math.max(...own.map(({ asked }) => asked));
  return own.filter(({ asked }) => asked === most);
}

function distinctPlaces(timings: readonly TimingRow[]): Pick<TimingRow, "backend" | "batch">[] {
  const places = new Map(timings.map(({ backend, batch }) => [`${backend} ${batch}`, { backend, batch }]));
  return [...places.values()].sort((a, b) =>
    a.backend < b.backend ? -1 : a.backend > b.backend ? 1 : a.batch - b.batch,
  );
}
