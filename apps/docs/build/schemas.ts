import { sweepJsonSchema } from "@espalier/bench";
import { recipeJsonSchema } from "@espalier/recipe";
import { createRegistry } from "@espalier/recipe/standard";
import { searchJsonSchema } from "@espalier/search";

/** The page of one kind of file. */
export interface SchemaPage {
  readonly slug: string;
  readonly title: string;
  readonly summary: string;
  readonly text: string;
}

/** One node of a JSON schema: the part of the standard that zod writes. */
interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
  readonly exclusiveMaximum?: number;
  readonly minItems?: number;
  readonly pattern?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
}

/** Every kind of file that a person writes. */
export function schemaPages(): SchemaPage[] {
  const summary = "what `espalier sweep` runs over, as YAML or JSON.";
  const recipe = "what `espalier prune --recipe` is told, as YAML or JSON.";
  return [
    {
      slug: "recipe",
      title: "Recipe files",
      summary: recipe,
      text: `# Recipe files\n\nWhat \`espalier prune --recipe FILE\` is told, as YAML or JSON. [Write a recipe](../guides/recipes.md) has two that
run.\n\n${schemaTables(recipeJsonSchema(createRegistry()) as Schema)}\n`,
    },
    {
      slug: "sweep",
      title: "Sweep files",
      summary,
      text: `# Sweep files\n\nWhat \`espalier sweep FILE\` runs over, as YAML or JSON. Every combination of models, data sets, strategies, targets and
fine-tuning is one cell. [Run the benchmark](../guides/benchmark.md) has one that runs.\n\n${schemaTables(sweepJsonSchema() as Schema)}\n`,
    },
    {
      slug: "search",
      title: "Search files",
      summary: "what `espalier search` looks for, as YAML or JSON.",
      text: `# Search files\n\nWhat \`espalier search FILE\` looks for, as YAML or JSON. [Search for a recipe](../guides/search.md) has one that
runs.\n\n${schemaTables(searchJsonSchema() as Schema)}\n`,
    },
  ];
}

/** A table for the top level, one for each object inside, and one for each thing that is chosen by name (`use`). */
function schemaTables(schema: Schema): string {
  const sections: string[] = [];
  const visit = (at: Schema, path: string, name: string): void => {
    if (Object.keys(at.properties ?? {}).length > 0) sections.push(tableOf(at, name));
    for (const [key, value] of Object.entries(at.properties ?? {})) {
      const inner = value.items ?? value;
      const below = `${path === "" ? "" : `${path}.`}${key}${value.items === undefined ? "" : "[]"}`;
      const named = (inner.anyOf ?? []).filter((choice) => choice.properties?.use?.const !== undefined);
      for (const choice of named) visit(choice, below, `\`${below}\`, use: ${choice.properties!.use!.const}`);
      visit(inner, below, `\`${below}\``);
    }
  };
  visit(schema, "", "Top level");
  return sections.join("\n\n");
}

function tableOf({ properties = {}, required = [] }: Schema, name: string): string {
  const rows = Object.entries(properties).map(([key, value]) => {
    const needed = required.includes(key) && value.default === undefined && value.const === undefined;
    const fallback = value.default === undefined ? "" : `\`${JSON.stringify(value.default)}\``;
    return [`\`${key}\``, typeText(value), needed ? "required" : fallback, cellText(value.description ?? "")];
  });
  const described = rows.some(([, , , text]) => text !== "");
  const columns = described ? ["key", "value", "default", ""] : ["key", "value", "default"];
  const lines = [columns, columns.map(() => "---"), ...rows.map((row) => row.slice(0, columns.length))];
  return `## ${name}\n\n${lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n")}`;
}

function cellText(text: string): string {
  return text.replaceAll("\n", " ").replaceAll("|", "\\|").replaceAll("<", "&lt;");
}

function typeText(schema: Schema): string {
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) {
    const named = choices.filter((choice) => choice.properties?.use?.const !== undefined);
    const others = choices.filter((choice) => !named.includes(choice)).map(typeText);
    const by = named.length === 0 ? [] : ["an object with `use` (below)"];
    return [...new Set([...others, ...by])].join(" or ");
  }
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${value}\``).join(", ");
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  if (schema.items !== undefined) return `list of ${typeText(schema.items)}`;
  if (schema.type === "object") {
    const keys = Object.entries(schema.properties ?? {});
    if (keys.length === 1) return `\`{ ${keys[0]![0]} }\` (${typeText(keys[0]![1])})`;
    if (schema.required?.length === 1 && keys.length === 1) return `\`${schema.required[0]}\``;
    return keys.length === 0 ? "options" : `object (${keys.map(([key]) => `\`${key}\``).join(", ")})`;
  }
  return `${schema.type === "integer" ? "whole number" : (schema.type ?? "anything")}${rangeText(schema)}`;
}

function rangeText({ minimum, exclusiveMinimum, maximum, exclusiveMaximum }: Schema): string {
  const unbounded = (n: number | undefined) => n === undefined || Math.abs(n) === Number.MAX_SAFE_INTEGER;
  return [
    unbounded(minimum) ? "" : ` from ${minimum}`,
    unbounded(exclusiveMinimum) ? "" : ` above ${exclusiveMinimum}`,
    unbounded(maximum) ? "" : ` to ${maximum}`,
    unbounded(exclusiveMaximum) ? "" : ` below ${exclusiveMaximum}`,
  ].join("");
}
