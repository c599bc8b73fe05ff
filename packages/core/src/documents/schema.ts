import { type Issue, refuse } from "./explain.ts";

/** Checks values and fills in defaults: a schema of zod, or an object that answers as one does. */
export interface Schema<T> {
  /** The value with its defaults, or the issues that it has. */
  safeParse(
    input: unknown,
  ):
    | { readonly success: true; readonly data: T }
    | { readonly success: false; readonly error: { readonly issues: readonly Issue[] } };
  /** Its JSON schema, for the names that are known and their descriptions. */
  toJSONSchema?(options: { readonly io: "input"; readonly unrepresentable: "any" }): unknown;
}

/** The JSON schema of what may be given; undefined for a schema that cannot tell. */
export function jsonSchemaOf(schema: Schema<unknown> | undefined): unknown {
  return schema?.toJSONSchema?.({ io: "input", unrepresentable: "any" });
}

/**
 * Parses a value with a schema. Throws an EspalierError of one line: where, what is wrong, what is allowed, and the
 * nearest of it. `where` names the whole, or says where a path is.
 */
export function readBy<T>(
  schema: Schema<T>,
  value: unknown,
  where: string | ((path: readonly PropertyKey[]) => string),
): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const place = (path: readonly PropertyKey[]) =>
    path.length === 0 ? `${where}` : `${where}, ${path.map(String).join(".")}`;
  return refuse(
    result.error.issues,
    value,
    jsonSchemaOf(schema) ?? {},
    typeof where === "string" ? place : where,
  );
}
