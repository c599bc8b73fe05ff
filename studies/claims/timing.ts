import { formatSpeedupStat, type Section, type Stat, type Table, type TimingRow } from "@espalier/report";
import { atMost, type Claim, countOf, faster, type Outcome, sentence, verdictOf } from "./rule.ts";

/** Judges that a strategy's sparsest model that was timed is faster than the dense one, wherever it was timed. */
export function speedClaim(
  sections: readonly Section[],
  strategy: string,
  caption: string,
): Omit<Claim, "says"> {
  const outcomes = sections
    .flatMap((section) => sparsestTimings(section, strategy))
    .map(({ speedup }) => outcomeOf(speedup));
  return {
    verdict: verdictOf(outcomes),
    rule: `In every model, on every backend and at every batch size that was timed, dense and pruned taking turns: more than ${faster} times as fast as the dense model, beyond the spread of the measurement. Times whose spread is more than ${maxNoise * 100} % are open. (The study: CUDA, batch 3.)`,
    because: outcomes.length === 0 ? "Nothing is timed yet." : sentence(countOf(outcomes, "timings")),
    figures: outcomes.length === 0 ? undefined : speedupTable(sections, strategy, caption),
  };
}

/** Speed-ups of one strategy's sparsest model that was timed: a row a model, a column a backend and batch size. */
function speedupTable(sections: readonly Section[], strategy: string, caption: string): Table {
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

/** Spread ÷ speed-up beyond which a timing tells nothing: the machine did something else. */
const maxNoise = 0.25;

function isNoisy({ mean, spread }: Stat): boolean {
  return spread > maxNoise * mean;
}

function outcomeOf(speedup: Stat): Outcome {
  if (isNoisy(speedup)) return "open";
  const slow = atMost(speedup, faster);
  return slow === "open" ? "open" : slow === "yes" ? "no" : "yes";
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
