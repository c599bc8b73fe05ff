import { type Block, paragraph, statOf, type Table } from "@espalier/report";
import { hypervolume } from "@espalier/search";

/** One contestant's results in one run. */
export interface ContestRun {
  readonly model: string;
  readonly dataset: string;
  readonly way: string;
  readonly seed: number;
  /** Processor seconds that it had. */
  readonly seconds: number;
  readonly made: readonly {
    readonly bytes: number;
    readonly validation: number;
    readonly test: number;
    /** The recipe's name, if it has one. */
    readonly label?: string;
  }[];
  readonly dense: { readonly bytes: number; readonly validation: number; readonly test: number };
  /** The processor. */
  readonly cpu: string;
}

/** Errors above this multiple of the dense model's do not count. */
export const worst = 1.1;

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

/** The comparison as a section of the page. */
export function contestBlocks(runs: readonly ContestRun[]): Block[] {
  if (runs.length === 0) return [];
  const processors = [...new Set(runs.map(({ cpu }) => cpu))].join(", ");
  const commands = new Set(
    runs.map(({ model, dataset, seconds }) => {
      const [name, size] = model.split(" ") as [string, string];
      const subject = name === "small" ? `--model ${size}` : `${name.toLowerCase()}.safetensors`;
      return `npx -y pnpm@12 bench:search ${subject} --dataset ${dataset} --seconds ${seconds}`;
    }),
  );
  return [
    { kind: "heading", level: 2, text: "Against chance and against fixed recipes" },
    paragraph(
      `Hypervolume of the front of sizes and errors at equal processor time (one thread, ${processors}): decades of size × mean squared error relative to the dense model, up to the dense model's size and ${worst} times its error. Small models are trained and tuned briefly. The front is made on validation data; its test errors are counted in the last two columns. Random search tunes points of the search's own space fully; the gallery's recipes run in turn, at sizes from 0.3 to 0.003 of the bytes. The search spreads over the front up to that error (--front).`,
    ),
    { kind: "table", table: contestTable(runs) },
    { kind: "code", language: "sh", text: [...commands].join("\n") },
  ];
}

function contestTable(runs: readonly ContestRun[]): Table {
  const subjectOf = ({ model, dataset, seconds }: ContestRun) => `${model} on ${dataset}, ${seconds} s`;
  return {
    caption: "Hypervolume, mean and sample standard deviation over the runs",
    columns: [
      { label: "model, data, processor time" },
      { label: "way" },
      ...["runs", "models", "validation", "against random", "test", "against random"].map((label) => ({
        label,
        numeric: true,
      })),
    ],
    rows: [...new Set(runs.map(subjectOf))].flatMap((subject) => {
      const own = runs.filter((run) => subjectOf(run) === subject);
      const chance = own.filter(({ way }) => way === "random search");
      return [...new Set(own.map(({ way }) => way))].map((way) => {
        const these = own.filter((run) => run.way === way);
        const cells = (["validation", "test"] as const).flatMap((error) => {
          const area = statOf(these.map((run) => areaOf(run, error)));
          const against = area.mean / statOf(chance.map((run) => areaOf(run, error))).mean;
          const spread = these.length > 1 ? ` ± ${area.spread.toFixed(3)}` : "";
          return [`${area.mean.toFixed(3)}${spread}`, `${against.toFixed(2)} ×`];
        });
        const count = statOf(these.map(({ made }) => made.length)).mean.toFixed(0);
        return [subject, way, `${these.length}`, count, ...cells];
      });
    }),
  };
}
