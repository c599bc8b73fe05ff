import { hypervolume } from "@espalier/search";

/** One contestant's results in one run. */
export interface ContestRun {
  readonly model: string;
  readonly dataset: string;
  readonly way: string;
  readonly seed: number;
  /** Processor seconds that it had. */
  readonly seconds: number;
  readonly made: readonly { readonly bytes: number; readonly validation: number; readonly test: number }[];
  readonly dense: { readonly bytes: number; readonly validation: number; readonly test: number };
  /** The processor. */
  readonly cpu: string;
}

/** Errors above this multiple of the dense model's do not count. */
const worst = 1.1;

/**
 * Area between a run's front and a corner: decades of size × error relative to the dense model. The front is made of
 * what none beats on validation data; with `test`, the test errors of these models count.
 */
export function areaOf({ made, dense }: ContestRun, error: "validation" | "test"): number {
  let least = Number.POSITIVE_INFINITY;
  const front = made
    .toSorted((a, b) => a.bytes - b.bytes || a.validation - b.validation)
    .filter(({ validation }) => {
      const isBetter = validation < least;
      least = Math.min(least, validation);
      return isBetter;
    });
  return hypervolume(
    front.map((one) => [Math.log10(one.bytes), one[error] / dense[error]]),
    [0, worst],
  );
}

/** The comparison as a page. */
export function markdown(runs: readonly ContestRun[]): string {
  const subjects = [
    ...new Set(runs.map(({ model, dataset, seconds }) => `${model} on ${dataset}, ${seconds} s`)),
  ];
  const rows = subjects.flatMap((subject) => {
    const own = runs.filter(
      ({ model, dataset, seconds }) => `${model} on ${dataset}, ${seconds} s` === subject,
    );
    const chance = own.filter(({ way }) => way === "random search");
    return [...new Set(own.map(({ way }) => way))].map((way) => {
      const these = own.filter((run) => run.way === way);
      const cells = (["validation", "test"] as const).flatMap((error) => {
        const areas = these.map((run) => areaOf(run, error));
        const against = meanOf(areas) / meanOf(chance.map((run) => areaOf(run, error)));
        return [`${meanOf(areas).toFixed(3)} ± ${deviationOf(areas).toFixed(3)}`, `${against.toFixed(2)} ×`];
      });
      const count = meanOf(these.map(({ made }) => made.length)).toFixed(0);
      return `| ${[subject, way, these.length, count, ...cells].join(" | ")} |`;
    });
  });
  const processors = [...new Set(runs.map(({ cpu }) => cpu))].join(", ");
  return `# The search against chance and against fixed recipes

Hypervolume of the front of sizes and errors at equal processor time (the seconds in the first column, one thread, ${processors}):
decades of size × mean squared error relative to the dense model, up to the dense model's size and ${worst} times its error. Mean
and sample standard deviation over the runs. The front is made on validation data; its test errors are counted in the last two
columns. Random search tunes points of the search's own space fully; the gallery's recipes run in turn, at sizes from 0.3 to
0.003 of the bytes. Random search and the gallery have no goal; the search has one (the smallest model within 1 % of the error),
which makes it spend its time near that point of the front.

| model, data, processor time | way | runs | models | validation | against random | test | against random |
| --- | --- | --: | --: | --: | --: | --: | --: |
${rows.join("\n")}

\`ESPALIER_DATA=… npx -y pnpm@12 bench:search\` repeats it.
`;
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Sample standard deviation; 0 for fewer than two. */
function deviationOf(values: readonly number[]): number {
  if (values.length < 2) return 0;
  const mean = meanOf(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
}
