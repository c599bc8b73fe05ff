import {
  type Backend,
  EspalierError,
  type Model,
  reference,
  relativeError,
  runModel,
  type TensorData,
} from "@espalier/core";
import { type Example, loadExample } from "@espalier/formats/node";

/** How far a model's outputs are from expected ones. */
export interface Parity {
  readonly file: string;
  readonly backend: string;
  /** `reference` where the file has no expected outputs: then those of the reference implementation are compared. */
  readonly against: "file" | "reference";
  readonly samples: number;
  /** By output: ‖difference‖ ÷ ‖expected‖. */
  readonly errors: Readonly<Record<string, number>>;
}

/** Rounding in another order stays far below it; another computation does not. */
const tolerance = 1e-3;

/** Compares a model's outputs with those of a file. Throws an EspalierError if they are others. */
export async function parityOf(model: Model, path: string, backend: Backend): Promise<Parity> {
  const example = await loadExample(path, model.graph);
  const got = await runModel(model, backend, example.inputs);
  const { against, outputs } = await expected(example, model);
  const errors = Object.fromEntries(
    [...outputs].map(([name, output]) => [name, relativeError(got.get(name)!, output)]),
  );
  const off = Object.entries(errors).find(([, error]) => !(error <= tolerance));
  if (off !== undefined) {
    const [name, error] = off;
    const by = Number.isFinite(error) ? `${(error * 100).toPrecision(2)} %` : "numbers that are not finite";
    throw new EspalierError(
      `${path}: output "${name}" differs from the expected one by ${by}. Nothing was written; --no-check imports the model all the same.`,
    );
  }
  const samples = [...example.inputs.values()][0]?.shape[0] ?? 1;
  return { file: example.name, backend: backend.name, against, samples, errors };
}

async function expected(
  { inputs, outputs }: Example,
  model: Model,
): Promise<{ against: Parity["against"]; outputs: ReadonlyMap<string, TensorData> }> {
  if (outputs.size > 0) return { against: "file", outputs };
  return { against: "reference", outputs: await runModel(model, reference, inputs) };
}
