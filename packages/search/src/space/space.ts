import { EspalierError } from "@espalier/core";
import type { Recipe } from "@espalier/recipe";

/** A value of a parameter. */
export type Value = string | number | boolean;

/** A place in a space: the values of its parameters by name; those that do not apply are absent. */
export type Point = Readonly<Record<string, Value>>;

interface Common {
  readonly name: string;
  /** Whether the parameter applies, given the values of those before it; always by default. */
  readonly when?: (point: Point) => boolean;
}

/** One of several values, without an order. */
export interface Choice extends Common {
  readonly options: readonly [Value, ...Value[]];
}

/** A number between two bounds; with `log`, its logarithm is uniform. */
export interface Range extends Common {
  readonly from: number;
  readonly to: number;
  readonly log?: boolean;
}

/** One decision about a recipe. */
export type Parameter = Choice | Range;

/** A point with a name, such as one that stands for a recipe of the gallery. */
export interface NamedPoint {
  readonly label: string;
  readonly point: Point;
}

/** The recipes that a search chooses from. */
export interface SearchSpace {
  /** In order: a parameter's `when` sees the values of those before it. */
  readonly parameters: readonly Parameter[];
  /** Points that are tried first. */
  readonly seeds?: readonly NamedPoint[];
  /**
   * The parameter that decides the size, if size is free. Candidates that compete by their one-shot error share its
   * value, because a larger model almost always has less error.
   */
  readonly size?: string;
  /** The recipe of a point that is fine-tuned for a number of epochs. The search sets its seed and backend. */
  recipe(point: Point, epochs: number): Recipe;
}

/** Whether a parameter is a choice. */
export function isChoice(parameter: Parameter): parameter is Choice {
  return "options" in parameter;
}

/**
 * Completes a point: parameters in the order of the space, each with a given value or one that `draw` returns. Throws an
 * EspalierError for a given value that the parameter does not have.
 */
export function fillPoint(
  { parameters }: Pick<SearchSpace, "parameters">,
  given: Point,
  draw: (parameter: Parameter) => Value,
): Point {
  const point: Record<string, Value> = {};
  for (const parameter of parameters) {
    const { name, when } = parameter;
    if (when !== undefined && !when(point)) continue;
    const value = given[name] ?? draw(parameter);
    if (!has(parameter, value))
      throw new EspalierError(
        `search space: "${name}" cannot be ${JSON.stringify(value)}; it ${boundsOf(parameter)}.`,
      );
    point[name] = value;
  }
  return point;
}

/** The value that a number in [0, 1) selects. */
export function valueAt(parameter: Parameter, u: number): Value {
  if (isChoice(parameter)) return parameter.options[Math.floor(u * parameter.options.length)]!;
  const { from, to, log } = parameter;
  return rounded(log ? from * (to / from) ** u : from + (to - from) * u);
}

/** The position of a range's value between its bounds, from 0 to 1; the inverse of `valueAt`. */
export function positionOf({ from, to, log }: Range, value: Value): number {
  const x = value as number;
  return log ? Math.log(x / from) / Math.log(to / from) : (x - from) / (to - from);
}

/** Four digits: enough for a setting, and short in a recipe. */
export function rounded(x: number): number {
  return Number(x.toPrecision(4));
}

function has(parameter: Parameter, value: Value): boolean {
  if (isChoice(parameter)) return parameter.options.includes(value);
  const slack = 1e-3 * (parameter.to - parameter.from);
  return typeof value === "number" && value >= parameter.from - slack && value <= parameter.to + slack;
}

function boundsOf(parameter: Parameter): string {
  if (isChoice(parameter)) return `is one of ${parameter.options.map((o) => JSON.stringify(o)).join(", ")}`;
  return `goes from ${parameter.from} to ${parameter.to}`;
}
