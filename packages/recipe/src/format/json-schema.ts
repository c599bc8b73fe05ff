import { z } from "zod";
import type { Registry } from "../registry/registry.ts";
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
  const { properties: together, ...combined } = named(
    "combined",
    registry.strategies.get("combined")?.schema,
  );
  const { use: _name, stages: _stages, ...weights } = together as JsonSchema;
  const drawn = [...registry.models].map(([name, factory]) =>
    named(name, factory.definition.options, { weights: { type: "string" } }),
  );
  const known = [...registry.strategies.values()].map(({ name, description, schema: own, options }) => ({
    ...named(name, own, {}, options),
    description,
  }));
  return {
    ...schema,
    title: "Espalier pruning recipe",
    properties: {
      ...schema.properties,
      model: { ...model, anyOf: [file, ...drawn] },
      combined: { ...combined, properties: weights, required: [] },
      strategies: { ...strategies, items: { anyOf: known } },
    },
  };
}

/** The schema of something by name and its options, with a line for each; any options where it shows none. */
function named(
  name: string,
  options: unknown,
  more: JsonSchema = {},
  lines: Readonly<Record<string, string>> = {},
): JsonSchema {
  const own = options instanceof z.ZodType ? jsonOf(options) : {};
  const { properties = {}, required = [] } = own as {
    properties?: Record<string, JsonSchema>;
    required?: string[];
  };
  const described = Object.entries(properties).map(([key, property]) => {
    const line = lines[key];
    return [key, { ...written(property), ...(line === undefined ? {} : { description: line }) }];
  });
  return {
    type: "object",
    properties: { use: { const: name }, ...more, ...Object.fromEntries(described) },
    required: ["use", ...required],
    ...("additionalProperties" in own ? { additionalProperties: own.additionalProperties } : {}),
  };
}

/** Of several ways to give an option those that can be written down: an object with functions cannot. */
function written({ anyOf, ...property }: JsonSchema): JsonSchema {
  if (!Array.isArray(anyOf)) return { ...property, ...(anyOf === undefined ? {} : { anyOf }) };
  const ways = (anyOf as JsonSchema[]).filter((way) => Object.keys(way).length > 0);
  return ways.length === 1 ? { ...property, ...ways[0] } : { ...property, anyOf: ways };
}

function jsonOf(schema: z.ZodType): JsonSchema {
  const { $schema: _version, ...json } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return json;
}
