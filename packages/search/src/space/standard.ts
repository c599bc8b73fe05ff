import type { Model, Target } from "@espalier/core";
import { residualModules } from "@espalier/core/pruning";
import type { Recipe, Registry, Step } from "@espalier/recipe";
import { type Goal, sizeMetricOf } from "../goal.ts";
import { galleryPoints } from "./gallery.ts";
import { fillPoint, isChoice, type Parameter, type Point, type SearchSpace } from "./space.ts";

/** Options of the standard space. */
export interface StandardSpaceOptions {
  /** The dense model: what it has decides which parameters apply. */
  readonly model: Model;
  readonly goal: Goal;
  readonly registry: Pick<Registry, "strategies">;
  /** Names of further strategies to choose from, such as those of plug-ins. */
  readonly strategies?: readonly string[];
  /** At most this many batches per epoch of fine-tuning; all by default. */
  readonly batchesPerEpoch?: number | undefined;
}

/** Sizes that a free size is chosen from, as shares of the dense model. */
const sizes = { from: 0.001, to: 0.5, log: true } as const;

/**
 * The space that `espalier search` uses: which modules, heads and channels are removed, in which order and by which
 * criterion; how the way to the size is shared between them and masks; whether layers are refitted; how masks tighten;
 * and how the model is tuned. The gallery's recipes are its first points.
 */
export function standardSpace(options: StandardSpaceOptions): SearchSpace {
  const { goal } = options;
  const size = sizeMetricOf(goal);
  const parameters: Parameter[] = [
    ...(size === undefined ? [] : [{ name: "size", ...sizes, to: Math.min(sizes.to, goal[size] ?? 1) }]),
    ...structure(options),
    ...masking(options),
    { name: "learningRate", from: 0.001, to: 0.03, log: true },
    { name: "distill", options: [0.5, 0, 0.25] },
  ];
  const usual = (parameter: Parameter) =>
    isChoice(parameter) ? parameter.options[0] : (parameter.from + parameter.to) / 2;
  const known = new Set(parameters.map(({ name }) => name));
  return {
    parameters,
    ...(size !== undefined && { size: "size" }),
    seeds: galleryPoints.flatMap(({ label, point }) =>
      ["attention", "feedForward"].some((kind) => kind in point && !known.has(kind))
        ? []
        : [{ label, point: fillPoint({ parameters }, within(parameters, point), usual) }],
    ),
    recipe: (point, epochs) => recipeAt(point, epochs, options),
  };
}

/** A gallery's size may be above the limit. */
function within(parameters: readonly Parameter[], point: Point): Point {
  const size = parameters.find(({ name }) => name === "size");
  if (size === undefined || isChoice(size)) return point;
  return { ...point, size: Math.min(size.to, point.size as number) };
}

function structure({ model, registry, strategies = [] }: StandardSpaceOptions): Parameter[] {
  const modules = residualModules(model.graph, model.dimensions).filter((m) => m.dimension !== undefined);
  const left = (name: string, kind: string): Parameter[] => {
    const count = modules.filter((module) => module.kind === kind).length;
    // How many stay.
    const fewer = [Math.ceil(count / 2), 0].filter((n) => n < count);
    return count === 0 ? [] : [{ name, options: ["keep", ...new Set(fewer)] }];
  };
  const heads = model.dimensions.list.some(({ kind }) => kind === "head");
  const hasHeads = (point: Point) => point.attention !== 0;
  const others = outside({ registry, strategies }, false);
  return [
    ...left("attention", "attention"),
    ...left("feedForward", "feed-forward"),
    ...(heads
      ? ([
          { name: "heads", options: ["keep", "remove"], when: hasHeads },
          { name: "heads.share", from: 0.05, to: 0.5, when: ({ heads }) => heads === "remove" },
          { name: "heads.criterion", options: ["taylor", "l2"], when: ({ heads }) => heads === "remove" },
        ] satisfies Parameter[])
      : []),
    { name: "channels", options: ["then masks", "keep", "only"] },
    { name: "channels.share", from: 0.1, to: 0.95, when: ({ channels }) => channels === "then masks" },
    {
      name: "channels.criterion",
      options: ["l2", "taylor", "fisher"],
      when: ({ channels }) => channels !== "keep",
    },
    { name: "channels.multipleOf", options: [1, 4], when: ({ channels }) => channels !== "keep" },
    ...others.flatMap((name): Parameter[] => [
      { name, options: ["keep", "remove"] },
      { name: `${name}.share`, from: 0.05, to: 0.95, when: (point) => point[name] === "remove" },
    ]),
    {
      name: "order",
      options: ["depth, heads, channels", "depth, channels, heads", "channels, depth, heads"],
      when: (point) => stepsBefore(point) > 1,
    },
    { name: "reconstruct", options: [true, false], when: (point) => stepsBefore(point) + others.length > 0 },
  ];
}

/** Kinds of parts that a point removes. */
function stepsBefore({ heads, channels, attention, feedForward }: Point): number {
  const depth = typeof attention === "number" || typeof feedForward === "number";
  const removed = [depth, heads === "remove", channels !== "keep"];
  return removed.filter(Boolean).length;
}

function masking(options: Pick<StandardSpaceOptions, "registry" | "strategies">): Parameter[] {
  const others = outside(options, true);
  const masked = ({ channels }: Point) => channels !== "only";
  const ours = (point: Point) => masked(point) && (point.masks ?? "unstructured") === "unstructured";
  return [
    ...(others.length === 0
      ? []
      : [{ name: "masks", options: ["unstructured", ...others] as [string], when: masked }]),
    { name: "masks.criterion", options: ["l1", "wanda"], when: ours },
    { name: "masks.scope", options: ["global", "lamp", "erk"], when: ours },
    { name: "masks.structure", options: ["single", "4x1"], when: ours },
    { name: "masks.leastDensity", options: [0.25, 0], when: (p) => ours(p) && p["masks.scope"] === "global" },
    { name: "masks.until", options: [0.6, 0.4, 0.75], when: masked },
  ];
}

/** The given strategies that mask, or those that remove. */
function outside(
  { registry, strategies = [] }: Pick<StandardSpaceOptions, "registry" | "strategies">,
  mask: boolean,
): string[] {
  return strategies.filter((name) => (registry.strategies.get(name)?.changes === "masks") === mask);
}

function recipeAt(point: Point, epochs: number, options: StandardSpaceOptions): Recipe {
  const target = targetAt(point, options.goal);
  const pruning = pruningAt(point, target, options);
  const masked = point.channels !== "only";
  const tune: Step = {
    do: "tune",
    fit: {
      epochs,
      batchSize: 32,
      learningRate: point.learningRate as number,
      rateSchedule: "cosine",
      warmup: 0.05,
      patience: 0,
      ...(options.batchesPerEpoch !== undefined && { batchesPerEpoch: options.batchesPerEpoch }),
    },
    ...(point.distill !== 0 && { distill: point.distill as number }),
    ...(masked && {
      masks: { strategy: maskStrategy(point), target, until: point["masks.until"] as number },
    }),
  };
  return { format: 2, steps: [...pruning, tune] as Recipe["steps"] };
}

/** The size that a point's model must have. */
function targetAt({ size }: Point, goal: Goal): Target {
  const metric = sizeMetricOf(goal);
  return {
    ...(goal.bytes !== undefined && { bytes: goal.bytes }),
    ...(goal.flops !== undefined && { flops: goal.flops }),
    ...(metric !== undefined && { [metric]: size as number }),
  };
}

function pruningAt(point: Point, target: Target, { registry, strategies }: StandardSpaceOptions): Step[] {
  const whole = Math.min(...Object.values(target));
  const reconstruct = point.reconstruct === true ? { reconstruct: {} } : {};
  let way = 0;
  // Each goes part of the way, so the nearest plan is good enough: the last step reaches the target.
  const towards = (strategy: { use: string }, share: number): Step => {
    way = Math.min(0.95, way + share);
    const flops = Number((whole ** way).toPrecision(4));
    return { do: "prune", strategy, target: { flops }, acceptNearest: true, ...reconstruct };
  };
  const depth = (kind: "attention" | "feed-forward", left: Point[string] | undefined): Step[] => {
    if (typeof left !== "number") return [];
    const strategy = { use: "depth", modules: [kind], keepAtLeast: left };
    // Removes all modules but those that the point keeps: no model reaches so few parameters by its depth.
    return [{ do: "prune", strategy, target: { parameters: 1e-4 }, acceptNearest: true, ...reconstruct }];
  };
  const makers: Readonly<Record<string, () => Step[]>> = {
    depth: () => [...depth("attention", point.attention), ...depth("feed-forward", point.feedForward)],
    heads: () =>
      point.heads === "remove"
        ? [towards({ use: "head", ...criterion(point, "heads") }, point["heads.share"] as number)]
        : [],
    channels: () => channelsAt(point, target, towards, reconstruct),
  };
  const order = (point.order as string | undefined) ?? "depth, heads, channels";
  const own = outside({ registry, strategies: strategies ?? [] }, false).flatMap((name) =>
    point[name] === "remove" ? [towards({ use: name }, point[`${name}.share`] as number)] : [],
  );
  const steps = order.split(", ").map((kind) => ({ kind, steps: makers[kind]!() }));
  // Channels that go all the way come last.
  const only = point.channels === "only" ? steps.filter(({ kind }) => kind === "channels") : [];
  const others = steps.filter((one) => !only.includes(one));
  return [...others.flatMap((one) => one.steps), ...own, ...only.flatMap((one) => one.steps)];
}

function channelsAt(
  point: Point,
  target: Target,
  towards: (strategy: { use: string }, share: number) => Step,
  reconstruct: { reconstruct?: Record<string, never> },
): Step[] {
  if (point.channels === "keep") return [];
  const multipleOf = point["channels.multipleOf"] as number;
  const strategy = {
    use: "channel",
    ...criterion(point, "channels"),
    ...(multipleOf > 1 && { multipleOf }),
  };
  if (point.channels === "only") return [{ do: "prune", strategy, target, ...reconstruct }];
  return [towards(strategy, point["channels.share"] as number)];
}

function criterion(point: Point, whose: string): { criterion: string } {
  return { criterion: point[`${whose}.criterion`] as string };
}

function maskStrategy(point: Point): { use: string } {
  const { masks = "unstructured", "masks.structure": structure, "masks.scope": scope } = point;
  if (masks !== "unstructured") return { use: masks as string };
  const leastDensity = point["masks.leastDensity"];
  return {
    use: "unstructured",
    criterion: point["masks.criterion"],
    scope,
    ...(structure !== "single" && { structure }),
    ...(leastDensity !== undefined && { leastDensity }),
  } as { use: string };
}
