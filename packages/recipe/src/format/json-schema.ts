import { jsonSchemaOf, type Schema } from "@espalier/core/documents";
import type { Registry } from "../registry/registry.ts";
import { recipeSchema } from "./recipe.ts";
import { shorthandSchema } from "./shorthand.ts";

type JsonSchema = Record<string, unknown>;

/**
 * The JSON schema of recipes, for editors and documentation: lists of steps, or the shorthand. With a registry, it
 * includes the options of its models and strategies, from the same schemas that check them.
 */
export function recipeJsonSchema(registry?: Registry): JsonSchema {
  const both = { title: "Espalier pruning recipe", anyOf: [jsonOf(recipeSchema), jsonOf(shorthandSchema)] };
  if (registry === undefined) return both;
  const known: JsonSchema[] = [...registry.strategies.values()].map(({ name, description, schema }) => ({
    ...named(name, schema),
    description,
  }));
  const drawn = [...registry.models].map(([name, factory]) =>
    named(name, factory.definition.options, { weights: { type: "string" } }),
  );
  const { properties: together } = named("combined", registry.strategies.get("combined")?.schema);
  const { use: _name, stages: _stages, ...weights } = together as JsonSchema;
  return filled(both, {
    model: ({ anyOf, ...rest }) => ({ ...rest, anyOf: [(anyOf as JsonSchema[])[0], ...drawn] }),
    strategy: (rest) => ({ description: rest.description, anyOf: known }),
    strategies: (rest) => ({ ...rest, items: { anyOf: known } }),
    combined: (rest) => ({ ...rest, properties: weights, required: [], additionalProperties: false }),
  }) as JsonSchema;
}

/** The schema with the properties of some names replaced everywhere. */
function filled(part: unknown, by: Readonly<Record<string, (of: JsonSchema) => JsonSchema>>): unknown {
  if (Array.isArray(part)) return part.map((item) => filled(item, by));
  if (typeof part !== "object" || part === null) return part;
  return Object.fromEntries(
    Object.entries(part).map(([key, value]) => {
      if (key !== "properties") return [key, filled(value, by)];
      const properties = Object.entries(value as Record<string, JsonSchema>).map(([name, own]) => [
        name,
        by[name] === undefined ? filled(own, by) : by[name](own),
      ]);
      return [key, Object.fromEntries(properties)];
    }),
  );
}

/** The schema of something by name and its options; any options if it has no schema. */
function named(name: string, options: Schema<unknown> | undefined, more: JsonSchema = {}): JsonSchema {
  const own = jsonOf(options);
  const { properties = {}, required = [] } = own as {
    properties?: Record<string, JsonSchema>;
    required?: string[];
  };
  const ways = Object.entries(properties).map(([key, property]) => [key, written(property)]);
  return {
    type: "object",
    properties: { use: { const: name }, ...more, ...Object.fromEntries(ways) },
    required: ["use", ...required],
    ...("additionalProperties" in own ? { additionalProperties: own.additionalProperties } : {}),
  };
}

/** If an option can be given in several ways, keeps those that can be written in a file: an object with functions cannot. */
function written({ anyOf, ...property }: JsonSchema): JsonSchema {
  if (!Array.isArray(anyOf)) return { ...property, ...(anyOf === undefined ? {} : { anyOf }) };
  const ways = (anyOf as JsonSchema[]).filter((way) => Object.keys(way).length > 0);
  return ways.length === 1 ? { ...property, ...ways[0] } : { ...property, anyOf: ways };
}

function jsonOf(schema: Schema<unknown> | undefined): JsonSchema {
  const { $schema: _version, ...json } = (jsonSchemaOf(schema) ?? {}) as JsonSchema;
  return json;
}
