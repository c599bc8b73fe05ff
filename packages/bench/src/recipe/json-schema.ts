import { z } from "zod";
import type { Registry } from "../sweep/registry.ts";
import { recipeSchema } from "./schema.ts";

type JsonSchema = Record<string, unknown>;

/**
 * The JSON schema of recipes, for editors and documentation. With a registry the options of its models and strategies
 * are in it, from the very schemas that check them.
 */
export function recipeJsonSchema(registry?: Registry): JsonSchema {
  const schema = jsonOf(recipeSchema) as JsonSchema & { properties: Record<string, JsonSchema> };
  if (registry === undefined) return schema;
  const { model, strategies } = schema.properties;
  const [file] = model!.anyOf as JsonSchema[];
  const drawn = [...registry.models].map(([name, factory]) =>
    named(name, factory.definition.options, { weights: { type: "string" } }),
  );
  const known = [...registry.strategies.values()].map(({ name, description, schema: own }) => ({
    ...named(name, own),
    description,
  }));
  return {
    ...schema,
    title: "Espalier pruning recipe",
    properties: {
      ...schema.properties,
      model: { ...model, anyOf: [file, ...drawn] },
      strategies: { ...strategies, items: { anyOf: known } },
    },
  };
}

/** The schema of something by name and its options; any options where it shows none. */
function named(name: string, options: unknown, more: JsonSchema = {}): JsonSchema {
  const own = options instanceof z.ZodType ? jsonOf(options) : {};
  const { properties = {}, required = [] } = own as { properties?: JsonSchema; required?: string[] };
  return {
    type: "object",
    properties: { use: { const: name }, ...more, ...properties },
    required: ["use", ...required],
    ...("additionalProperties" in own ? { additionalProperties: own.additionalProperties } : {}),
  };
}

function jsonOf(schema: z.ZodType): JsonSchema {
  const { $schema: _version, ...json } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return json;
}
