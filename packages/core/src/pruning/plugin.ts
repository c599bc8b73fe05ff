import type { OptionsSchema } from "../model/define.ts";
import type { Strategy } from "./strategy.ts";

/** A strategy as data names it: which plug-in, and its options. */
export interface StrategySpec {
  readonly use: string;
  readonly [option: string]: unknown;
}

/** What a package exports as `plugin`, so that commands, recipes and sweeps find its strategy by name. */
export interface StrategyPlugin {
  readonly name: string;
  /** One line for `--help`. */
  readonly description: string;
  /**
   * Its options by name, each with a line for `--help`. Lets commands give an option to those strategies that have it, and
   * refuse one that none has; leave it out and every option is passed on to `create`.
   */
  readonly options?: Readonly<Record<string, string>>;
  /** What checks its options, where that is a zod schema: recipes and editors then know them. */
  readonly schema?: OptionsSchema<unknown>;
  /**
   * Whether its plans only mask weights, or remove parts of the model. Only what masks can work while a model is tuned;
   * leave it out and that is found out when the plan is made.
   */
  readonly changes?: "masks" | "structure";
  /** Makes the strategy. Options are checked here; `resolve` makes the strategies that options name. */
  create(options: Readonly<Record<string, unknown>>, resolve: (spec: StrategySpec) => Strategy): Strategy;
}
