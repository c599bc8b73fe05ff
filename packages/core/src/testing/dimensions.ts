import { account } from "../accounting/account.ts";
import type { Backend } from "../backend.ts";
import { type Dimensions, type PrunableDimension, prunableDimensions } from "../dimensions/dimensions.ts";
import { dimensionsIn, type Expression, extentOf, isProduct } from "../dimensions/expression.ts";
import { inferDimensions } from "../dimensions/infer.ts";
import type { Graph } from "../graph/graph.ts";
import { isKept } from "../model/mask.ts";
import type { Model } from "../model/model.ts";
import { randomInputs, relativeError, runModel } from "../model/run.ts";
import { loadGraph, storedGraph } from "../model/stored-graph.ts";
import { operators } from "../operators/index.ts";
import { isNested } from "../pruning/indices.ts";
import type { RemoveStep } from "../pruning/plan.ts";
import { applySteps } from "../pruning/prune.ts";
import { CutError } from "../pruning/simplify.ts";
import { reference } from "../reference/backend.ts";
import { type Check, ensure } from "./check.ts";
import { maskMembers, type Removal, sliceMasks, sliceMembers } from "./masking.ts";

/** Options of the checks. */
export interface ModelCheckOptions {
  /** Runs the pruned and the masked models; `reference` by default. */
  readonly backend?: Backend;
  /** Largest error of an output, ‖a − b‖ ÷ ‖b‖; 1e-6 by default. */
  readonly tolerance?: number;
  /** Decides which indices are tried. */
  readonly seed?: number;
}

/**
 * The guarantees of structured pruning for a model, as named checks for any test runner. For every prunable dimension:
 * removing indices equals masking them (with normalisations over the rest), at once or one by one; every member is
 * sliced; inferring the dimensions again gives those that are carried over; emptying a dimension equals masking it, or
 * is refused. Use it on your own model with small widths, each of at least 3.
 */
export function modelChecks(model: Model, options: ModelCheckOptions = {}): Check[] {
  const { seed = 0 } = options;
  const dimensions = prunableDimensions(model.dimensions);
  const each = dimensions.flatMap((dimension): Check[] => {
    const called = `${dimension.name} (${dimension.kind}, ${dimension.size})`;
    const some = { dimension: dimension.name, indices: someIndices(model, dimension, seed) };
    return [
      {
        name: `removing from ${called} equals masking`,
        run: () => checkRemoval(model, [some], options),
      },
      {
        name: `removing from ${called} one by one equals removing at once`,
        run: async () => checkSequence(model, dimension),
      },
      {
        name: `emptying ${called} equals masking, or is refused`,
        run: async () => void (await checkEmptying(model, dimension, options)),
      },
    ];
  });
  const all = dimensions.map((dimension) => ({
    dimension: dimension.name,
    indices: someIndices(model, dimension, seed),
  }));
  const names = model.dimensions.list.map(({ name }) => name);
  return [
    {
      name: "every dimension has a name of its own",
      run: async () => ensure(new Set(names).size === names.length, `two have one name: ${names.join(", ")}`),
    },
    ...each,
    {
      name: "removing from all dimensions together equals masking",
      run: () => checkRemoval(model, all, options),
    },
  ];
}

/** Indices to remove: not all, and different for every row of a nested dimension. */
export function someIndices(
  model: Model,
  { size, within }: PrunableDimension,
  seed = 0,
): number[] | number[][] {
  const count = size < 2 ? 0 : Math.max(1, Math.floor(size / 3));
  const row = (r: number) =>
    Array.from({ length: count }, (_, i) => (seed + r + 2 * i) % size)
      .filter((index, i, all) => all.indexOf(index) === i)
      .slice(0, count)
      .sort((a, b) => a - b);
  if (within === undefined) return row(0);
  const rows = Array.from({ length: model.dimensions.list[within]!.size as number }, (_, r) => row(r));
  const shortest = Math.min(...rows.map((indices) => indices.length));
  return rows.map((indices) => indices.slice(0, shortest));
}

/** Checks the removal of some indices: outputs, slices, counts, stored graph, and dimensions inferred again. */
export async function checkRemoval(
  model: Model,
  removals: readonly Removal[],
  options: ModelCheckOptions = {},
): Promise<void> {
  const small = applySteps(model, stepsOf(model, removals));
  for (const [name, expected] of sliceMembers(model, removals)) {
    const tensor = small.tensors.get(name);
    ensure(tensor !== undefined, `tensor "${name}" is gone, though no dimension was emptied`);
    ensure(
      tensor.data.length === expected.length && tensor.data.every((value, i) => value === expected[i]),
      `tensor "${name}" does not hold what is left of it`,
    );
  }
  for (const [name, expected] of sliceMasks(model, removals)) {
    const mask = small.masks.get(name);
    ensure(
      mask !== undefined && expected.every((kept, i) => isKept(mask, i) === kept),
      `the mask of "${name}" is not what is left of it`,
    );
  }
  for (const { dimension: name, indices } of removals) checkOriginal(model, small, name, indices);
  await compareOutputs(small, model, removals, options);
  checkStored(small);
  checkFresh(small);
}

/** Removes indices of one dimension at once and one after the other; both must give the same model. */
function checkSequence(model: Model, dimension: PrunableDimension): void {
  const { name, size, within } = dimension;
  if (size < 3) return;
  const rows = within === undefined ? 0 : (model.dimensions.list[within]!.size as number);
  const nested = (row: (r: number) => number[]) =>
    within === undefined ? row(0) : Array.from({ length: rows }, (_, r) => row(r));
  const step = (extent: number, indices: RemoveStep["indices"]): RemoveStep => ({
    do: "remove",
    dimension: name,
    extent,
    indices,
    because: "",
  });
  const first = (r: number) => r % (size - 1);
  const atOnce = applySteps(model, [
    step(
      size,
      nested((r) => [first(r), size - 1]),
    ),
  ]);
  const inTurn = applySteps(
    applySteps(model, [
      step(
        size,
        nested((r) => [first(r)]),
      ),
    ]),
    [
      step(
        size - 1,
        nested(() => [size - 2]),
      ),
    ],
  );
  ensure(isSame(atOnce, inTurn), `removing from "${name}" depends on how it is cut into steps`);
}

/** Whether graph, dimensions and tensors of two models are equal; quicker than comparing digests. */
function isSame(a: Model, b: Model): boolean {
  const described = ({ graph, dimensions }: Model) => JSON.stringify([storedGraph(graph), dimensions]);
  return (
    described(a) === described(b) &&
    [...a.tensors].every(([name, { data }]) =>
      data.every((value, i) => value === b.tensors.get(name)!.data[i]),
    )
  );
}

/** Removes a whole dimension. False if it is refused, because the only path passes it. */
export async function checkEmptying(
  model: Model,
  dimension: PrunableDimension,
  options: ModelCheckOptions = {},
): Promise<boolean> {
  const { name, size, within } = dimension;
  const all = Array.from({ length: size }, (_, i) => i);
  const rows = within === undefined ? 0 : (model.dimensions.list[within]!.size as number);
  const removal = {
    dimension: name,
    indices: within === undefined ? all : Array.from({ length: rows }, () => all),
  };
  let small: Model;
  try {
    small = applySteps(model, stepsOf(model, [removal]));
  } catch (error) {
    if (!(error instanceof CutError)) throw error;
    await checkCut(model, removal, options);
    return false;
  }
  await compareOutputs(small, model, [removal], options);
  const left = prunableDimensions(small.dimensions).some((d) => d.name === name);
  ensure(!left, `dimension "${name}" was emptied, but is still there`);
  ensure(
    small.graph.values.every(({ shape }) => !shape.includes(0)),
    "an emptied value is still there",
  );
  ensure(
    account(small).parameters.total < account(model).parameters.total,
    "emptying a dimension removed no parameter",
  );
  checkStored(small);
  await checkRest(small, options);
  return true;
}

/** Checks that the rest can still be pruned after a dimension was emptied. */
async function checkRest(small: Model, options: ModelCheckOptions): Promise<void> {
  const rest = prunableDimensions(small.dimensions).map((dimension) => ({
    dimension: dimension.name,
    indices: someIndices(small, dimension),
  }));
  await compareOutputs(applySteps(small, stepsOf(small, rest)), small, rest, options);
}

/** If emptying was refused, no input may reach some output once the members are masked. */
async function checkCut(
  model: Model,
  removal: Removal,
  { backend = reference, tolerance = 1e-6 }: ModelCheckOptions,
): Promise<void> {
  const masked = maskMembers(model, [removal]);
  const [first, second] = [
    await runModel(masked, backend, randomInputs(model, 2, 1)),
    await runModel(masked, backend, randomInputs(model, 2, 2)),
  ];
  const apart = [...first].some(([name, tensor]) => relativeError(second.get(name)!, tensor) <= tolerance);
  ensure(apart, `emptying "${removal.dimension}" is refused, but every output still depends on the inputs`);
}

/** Indices refer to the current model, so nested dimensions come before those around them. */
function stepsOf(model: Model, removals: readonly Removal[]): RemoveStep[] {
  const steps = removals.map(({ dimension, indices }): RemoveStep => {
    const { size } = model.dimensions.list.find(({ name }) => name === dimension)!;
    return { do: "remove", dimension, extent: size as number, indices, because: "" };
  });
  return steps.sort((a, b) => Number(isNested(b.indices)) - Number(isNested(a.indices)));
}

async function compareOutputs(
  small: Model,
  model: Model,
  removals: readonly Removal[],
  { backend = reference, tolerance = 1e-6 }: ModelCheckOptions,
): Promise<void> {
  const inputs = randomInputs(model);
  const got = await runModel(small, backend, inputs);
  const expected = await runModel(maskMembers(model, removals), backend, inputs);
  for (const [name, tensor] of expected) {
    const error = relativeError(got.get(name)!, tensor);
    ensure(error <= tolerance, `output "${name}" differs from the masked model's by ${error}`);
  }
}

/** Compares the remaining indices with those of the unpruned model. */
function checkOriginal(model: Model, small: Model, name: string, removed: Removal["indices"]): void {
  if (removed.length === 0 || (isNested(removed) && (removed[0] as readonly number[]).length === 0)) return;
  const before = model.dimensions.list.find((d) => d.name === name)!;
  const after = small.dimensions.list.find((d) => d.name === name)!;
  const left = (gone: readonly number[]) =>
    Array.from({ length: before.size as number }, (_, i) => i).filter((i) => !gone.includes(i));
  const rows = isNested(removed)
    ? keptRows(small, after.within!).map((r) => left((removed as readonly (readonly number[])[])[r]!))
    : left(removed as readonly number[]);
  ensure(
    after.originalSize === (before.originalSize ?? before.size),
    `dimension "${name}" says its size was ${after.originalSize}`,
  );
  ensure(
    JSON.stringify(after.original) === JSON.stringify(rows),
    `dimension "${name}" says it kept ${JSON.stringify(after.original)}, it kept ${JSON.stringify(rows)}`,
  );
}

/** Original rows of a dimension that contains others. */
function keptRows(small: Model, number: number): readonly number[] {
  const { size, original } = small.dimensions.list[number]!;
  return (original as readonly number[] | undefined) ?? Array.from({ length: size as number }, (_, i) => i);
}

function checkStored({ graph }: Model): void {
  const stored = JSON.stringify(storedGraph(graph));
  ensure(
    JSON.stringify(storedGraph(loadGraph(JSON.parse(stored), operators))) === stored,
    "the graph is another one after storing it",
  );
}

/**
 * Inferring again must give the dimensions that were carried over. If one has shrunk to a single index, its shape no
 * longer shows it: then only which axes belong together and are free is compared, leaving out those of extent 1.
 */
export function checkFresh({ graph, dimensions }: Model): void {
  const fresh = inferDimensions(graph);
  const describe = dimensions.list.some(({ size }) => size === 1) ? partition : describeAll;
  const carried = describe(graph, dimensions, dimensions);
  const inferred = describe(graph, fresh, dimensions);
  const lost = carried.find((line) => !inferred.includes(line));
  const found = inferred.find((line) => !carried.includes(line));
  ensure(
    lost === undefined && found === undefined,
    `dimensions inferred afresh differ: carried ${lost ?? "nothing more"}; inferred ${found ?? "nothing more"}`,
  );
}

/** Everything that inference finds. */
function describeAll(_graph: Graph, { list, axes }: Dimensions): string[] {
  const within = (number: number | undefined) =>
    number === undefined ? "" : ` within ${list[number]!.name}`;
  return [
    ...list.map((d) => {
      const members = d.members.map(({ tensor, axis, place }) => `${tensor}[${axis}].${place}`).join(" ");
      return `${d.name}: ${d.kind} ${JSON.stringify(d.size)} ${d.fixed ?? "free"}${within(d.within)}: ${members}`;
    }),
    JSON.stringify(axes),
  ];
}

/** The tensor axes that belong together, ignoring the names of dimensions. */
function partition(graph: Graph, { list, axes }: Dimensions, carried: Dimensions): string[] {
  const groups = new Map<number, string[]>();
  // Removed parts that split a fixed axis make no difference.
  const fixed: string[] = [];
  for (const { name, value } of graph.tensors) {
    axes[value]!.forEach((e, axis) => {
      if (joinsSingle(carried.axes[value]![axis]!, carried)) return;
      const real = dimensionsIn(e).filter((d) => list[d]!.size !== 1);
      const free = real.filter((d) => list[d]!.fixed === undefined);
      free.forEach((d, place) => {
        groups.set(d, [...(groups.get(d) ?? []), `${name}[${axis}].${place}`]);
      });
      // Joined parts of a single index each no longer are a dimension, and do not change.
      const joined = real.length === 0 && graph.values[value]!.shape[axis] !== 1;
      if (real.length > free.length || joined) fixed.push(`fixed, in part at least: ${name}[${axis}]`);
    });
  }
  return [...groups]
    .map(([d, members]) => `free ${JSON.stringify(list[d]!.size)}: ${members.join(" ")}`)
    .concat(fixed);
}

/** Whether an axis joins parts of which one has a single index: its composition can no longer be seen. */
function joinsSingle(e: Expression, dimensions: Dimensions): boolean {
  if (typeof e === "number") return false;
  if (isProduct(e)) return e.product.some((factor) => joinsSingle(factor, dimensions));
  return e.sum.some((term) => extentOf(term, (d) => dimensions.list[d]!.size) === 1);
}
