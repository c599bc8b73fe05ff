import type { Command } from "commander";
import type { Context } from "../context.ts";
import { addCommon, addExamples, addPlugins, type CommonOptions } from "../options/groups.ts";

export interface RecipeOptions extends CommonOptions {
  readonly schema?: boolean;
  readonly plugin?: string[];
}

export function define(command: Command, context: Context): void {
  command
    .description(
      "Checks a recipe without running it, or prints the JSON schema of recipes for an editor. " +
        "To run a recipe, use espalier prune --recipe.",
    )
    .argument("[file]", "a recipe (.yaml, .json)")
    .option("--schema", "print the JSON schema of recipes, with all models and strategies");
  addPlugins(command);
  addCommon(command);
  addExamples(command, ["recipe half-flops.yaml", "recipe --schema > recipe.schema.json"]);
  command.action(async (file: string | undefined, options: RecipeOptions) => {
    const { recipe } = await import("../actions/recipe.ts");
    await recipe(file, options, context);
  });
}
