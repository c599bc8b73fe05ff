import { sweepJsonSchema } from "@espalier/bench";

/** The page of one kind of file. */
export interface SchemaPage {
  readonly slug: string;
  readonly title: string;
  readonly summary: string;
  readonly text: string;
}

/** What a JSON schema says of one place; the parts of the standard that zod writes. */
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
  return [
    {
      slug: "sweep",
      title: "Sweep files",
      summary,
      text: `# Sweep files\n\nWhat \`espalier sweep FILE\` runs over, as YAML or JSON. Every combination of models, data sets, strategies, targets and
fine-tuning is one cell.\n\n${schemaTables(sweepJsonSchema() as Schema)}\n`,
    },
  ];
}

/** A table for the top level, and one for each object inside. */
function schemaTables(schema: Schema): string {
  const sections: string[] = [];
  const visit = (at: Schema, path: string): void => {
    const rows = Object.entries(at.properties ?? {}).map(([key, value]) => {
      const needed = at.required?.includes(key) && value.default === undefined;
      const fallback = value.default === undefined ? "" : `\`${JSON.stringify(value.default)}\``;
      return `| \`${key}\` | ${typeText(value)} | ${needed ? "required" : fallback} | ${(value.description ?? "").replaceAll("\n", " ")} |`;
    });
    if (rows.length > 0)
      sections.push(
        `## ${path === "" ? "Top level" : `\`${path}\``}\n\n| key | value | default | |\n| --- | --- | --- | --- |\n${rows.join("\n")}`,
      );
    for (const [key, value] of Object.entries(at.properties ?? {})) {
      const inner = value.items ?? value;
      const name = `${path === "" ? "" : `${path}.`}${key}${value.items === undefined ? "" : "[]"}`;
      // Choices of one key each, such as targets, are told by their type.
      if (Object.keys(inner.properties ?? {}).length > 0) visit(inner, name);
    }
  };
  visit(schema, "");
  return sections.join("\n\n");
}

function typeText(schema: Schema): string {
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) return choices.map(typeText).join(" or ");
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
