import {
  type Criterion,
  criterionNames,
  type Model,
  type PlanRequest,
  type RemoveStep,
  type Strategy,
  type StrategyPlugin,
} from "@espalier/core";
import { readBy } from "@espalier/core/documents";
import {
  checkAmount,
  findCriterion,
  isCriterion,
  matchesAny,
  perModel,
  type ResidualModule,
  residualModules,
  writePlan,
} from "@espalier/core/pruning";
import { z } from "zod";
import { type Unit, unitsOf } from "./units.ts";

const schema = z.strictObject({
  criterion: z
    // Core checks the name, and suggests the nearest one.
    .union([z.string(), z.custom<Criterion>(isCriterion)])
    .optional()
    .describe(
      `importance, summed over a module's heads or channels (l2: the norm): ${criterionNames.join(", ")}; by default spat, or l2 without calibration data`,
    ),
  modules: z
    .array(z.enum(["attention", "feed-forward"]))
    .nonempty()
    .default(["attention", "feed-forward"])
    .describe("which kinds of modules may be removed, a list"),
  unit: z
    .enum(["module", "layer"])
    .default("module")
    .describe("what is removed at a time: one module, or all modules of one layer"),
  keepAtLeast: z.int().min(0).default(1).describe("modules of each kind (or layers) that the model keeps"),
  keep: z
    .array(z.string())
    .default([])
    .describe("modules, dimensions or tensors to leave unpruned, by name pattern (* for any text)"),
  seed: z.int().default(0).describe("seed of the criterion random"),
});

/** Options of depth pruning. The schema describes each; the help and the recipe reference list them. */
export type DepthOptions = z.input<typeof schema>;

/**
 * Removes whole attention and feed-forward modules, the least important first: SPAT (Guo et al., arXiv 2505.08768) for
 * attention, and layer dropping for both (Fan et al., ICLR 2020). A removed module leaves its last bias and the
 * normalisation around it; the residual path remains. `amount` is the share of the modules.
 */
export function depth(options: DepthOptions = {}): Strategy {
  const parsed = readBy(schema, options, 'strategy "depth"');
  const { criterion, seed } = parsed;
  const rank = (one: string | Criterion) => ranking(findCriterion(one, seed));
  const chosen = criterion === undefined ? undefined : rank(criterion);
  const [bySensitivity, byMagnitude] = [rank("spat"), rank("l2")];
  return {
    name: "depth",
    async plan(request) {
      const { model, amount } = request;
      checkAmount(amount);
      const { free, fixed } = candidates(model, parsed);
      const stay = fixed.map(({ name, kind, fixed: why }) => `${kind} ${name} stays: ${why}`);
      const units = unitsOf(free, parsed.unit);
      if (units.length === 0) {
        const why = stay.length === 0 ? "the model has none" : stay.slice(0, 12).join("; ");
        const what = parsed.modules.join(" or ");
        return writePlan(model, "depth", [], [`no ${what} module can be removed: ${why}`]);
      }
      const by = chosen ?? (request.collect === undefined ? byMagnitude : bySensitivity);
      const scores = await by(request, units);
      return writePlan(model, "depth", removeLeast(units, scores, amount, parsed.keepAtLeast), stay);
    },
  };
}

/** Importance of units by a criterion, cached per model. */
function ranking(criterion: Criterion) {
  const remembered = perModel<readonly number[]>();
  return (request: PlanRequest, units: readonly Unit[]): Promise<readonly number[]> =>
    remembered(request.model, async () => {
      const modules = units.flatMap(({ modules }) => modules);
      const scores = await criterion.indices(
        request,
        modules.map(({ dimension }) => dimension),
      );
      const whole = criterion.whole ?? ((values) => values.reduce((sum, value) => sum + value, 0));
      const byModule = new Map(modules.map((module, i) => [module, whole(scores[i]!.values)]));
      return units.map((unit) => unit.modules.reduce((sum, module) => sum + byModule.get(module)!, 0));
    });
}

/** The modules that a strategy considers: those that can be removed, and those that cannot. */
function candidates(model: Model, { modules, keep }: Pick<z.output<typeof schema>, "modules" | "keep">) {
  const kept = ({ name, dimension }: ResidualModule) =>
    matchesAny(keep, name) ||
    (dimension !== undefined &&
      (matchesAny(keep, dimension.name) || dimension.members.some(({ tensor }) => matchesAny(keep, tensor))));
  const all = residualModules(model.graph, model.dimensions).filter(
    (module) => modules.includes(module.kind) && !kept(module),
  );
  return {
    free: all.flatMap((module) =>
      module.dimension === undefined ? [] : [{ ...module, dimension: module.dimension }],
    ),
    fixed: all.filter(({ dimension }) => dimension === undefined),
  };
}

/** Empties the dimensions of the least important units; some units of each kind stay. */
function removeLeast(
  units: readonly Unit[],
  scores: readonly number[],
  amount: number,
  keepAtLeast: number,
): RemoveStep[] {
  const left = new Map([...Map.groupBy(units, ({ kind }) => kind)].map(([kind, own]) => [kind, own.length]));
  const order = Array.from(units.keys()).sort((a, b) => scores[a]! - scores[b]! || a - b);
  const going = order.filter((i) => {
    const { kind } = units[i]!;
    if (left.get(kind)! <= keepAtLeast) return false;
    left.set(kind, left.get(kind)! - 1);
    return true;
  });
  const chosen = new Set(going.slice(0, Math.round(amount * units.length)));
  return units.flatMap(({ modules }, i) => {
    if (!chosen.has(i)) return [];
    const place = `its importance ${scores[i]!.toPrecision(3)} is number ${order.indexOf(i) + 1} of ${units.length}`;
    return modules.map((module) => emptied(module, place));
  });
}

function emptied({ name, kind, dimension }: Unit["modules"][number], place: string): RemoveStep {
  const { size } = dimension;
  return {
    do: "remove",
    dimension: dimension.name,
    extent: size,
    indices: Array.from({ length: size }, (_, i) => i),
    because: `the ${kind} ${name} is removed: ${place}`,
  };
}

/** Depth pruning by name, for commands, recipes and sweeps. */
export const plugin: StrategyPlugin = {
  name: "depth",
  changes: "structure",
  description: "remove whole attention and feed-forward modules",
  schema,
  create: (options) => depth(options as DepthOptions),
};
