import { jsonSchemaOf, type Schema } from "../documents/schema.ts";
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
  /** A zod schema that checks and describes its options; used for help, recipes and editors. */
  readonly schema?: Schema<unknown>;
  /** Without a schema: its options by name, each with a line for help. */
  readonly options?: Readonly<Record<string, string>>;
  /**
   * Whether its plans only mask weights, or remove parts of the model. Only masks can be applied during fine-tuning. If
   * absent, this is determined when the plan is made.
   */
  readonly changes?: "masks" | "structure";
  /** Creates the strategy and checks its options; `resolve` creates strategies that options name. */
  create(options: Readonly<Record<string, unknown>>, resolve: (spec: StrategySpec) => Strategy): Strategy;
}

interface Described {
  readonly description?: string;
  readonly default?: unknown;
}

/**
 * The options of a strategy by name, each with a line for help and its default. Commands give an option to the strategies
 * that have it, and refuse one that none has; undefined for a plug-in that tells nothing, which takes any.
 */
export function pluginOptions({
  schema,
  options,
}: StrategyPlugin): Readonly<Record<string, string>> | undefined {
  const json = jsonSchemaOf(schema) as
    | { readonly properties?: Readonly<Record<string, Described>> }
    | undefined;
  if (json === undefined) return options;
  return Object.fromEntries(
    Object.entries(json.properties ?? {}).map(([name, { description = "", default: fallback }]) => {
      const shown = Array.isArray(fallback)
        ? fallback.join(", ")
        : typeof fallback === "object"
          ? ""
          : `${fallback ?? ""}`;
      return [name, shown === "" ? description : `${description} (${shown})`];
    }),
  );
}
