import type { OptionsSchema } from "../model/define.ts";
import type { Strategy } from "./strategy.ts";

/** A strategy as data: the name of its plug-in, and its options. */
export interface StrategySpec {
  readonly use: string;
  readonly [option: string]: unknown;
}

/** The object that a package exports as `plugin`, so that commands, recipes and sweeps find its strategy by name. */
export interface StrategyPlugin {
  readonly name: string;
  /** One line for `--help`. */
  readonly description: string;
  /**
   * Options by name, each with a line for `--help`. With it, commands pass an option only to the strategies that have
   * it, and refuse an option that none has. Without it, every option is passed to `create`.
   */
  readonly options?: Readonly<Record<string, string>>;
  /** The zod schema that checks its options, if there is one: recipes and editors then know them. */
  readonly schema?: OptionsSchema<unknown>;
  /**
   * Whether its plans only mask weights, or remove parts of the model. Only masks can be applied during fine-tuning. If
   * absent, this is determined when the plan is made.
   */
  readonly changes?: "masks" | "structure";
  /** Creates the strategy and checks its options; `resolve` creates strategies that options name. */
  create(options: Readonly<Record<string, unknown>>, resolve: (spec: StrategySpec) => Strategy): Strategy;
}
