import { nearestName } from "@espalier/core";
import type { z } from "zod";

type Issue = z.core.$ZodIssue;

/** The part of a JSON schema that names what may be given. */
interface Part {
  readonly properties?: Readonly<Record<string, Part>>;
  readonly items?: Part;
  readonly anyOf?: readonly Part[];
}

/** Where a problem is, as the path of its key. */
export function placeOf(issue: Issue): readonly PropertyKey[] {
  return issue.code === "unrecognized_keys" ? [...issue.path, issue.keys[0]!] : issue.path;
}

/** What is wrong with a value, what is allowed, and the nearest of it. `schema` is the JSON schema of the whole. */
export function explain(issue: Issue, root: unknown, schema: unknown): string {
  const value = valueAt(root, placeOf(issue));
  switch (issue.code) {
    case "unrecognized_keys":
      return `is not known.${nearest(issue.keys[0]!, namesAt(schema as Part, issue.path))}`;
    case "invalid_value": {
      const allowed = issue.values.map(String);
      return `${shown(value)} is not one of these.${nearest(String(value), allowed)}`;
    }
    case "invalid_type":
      if (value === undefined) return `is missing: expected ${article(issue.expected)}.`;
      return `expected ${article(issue.expected)}, found ${shown(value)}.`;
    case "too_big":
    case "too_small":
      return typeof value === "number"
        ? `${outside(issue)}, found ${value}.${asShare(value, issue)}`
        : sentence(issue.message);
    default:
      return sentence(issue.message);
  }
}

function outside(issue: Issue & { code: "too_big" | "too_small" }): string {
  if (issue.code === "too_big")
    return `expected ${issue.inclusive ? "at most" : "less than"} ${issue.maximum}`;
  return `expected ${issue.inclusive ? "at least" : "more than"} ${issue.minimum}`;
}

/** Eighty for 80 %. */
function asShare(value: number, issue: Issue): string {
  return issue.code === "too_big" && Number(issue.maximum) === 1 && value <= 100
    ? ` Did you mean ${value / 100}?`
    : "";
}

function nearest(given: string, known: readonly string[]): string {
  const near = nearestName(given, known);
  const hint = near === undefined ? "" : ` Did you mean "${near}"?`;
  return known.length === 0 ? hint : `${hint} Known: ${known.join(", ")}.`;
}

/** Keys that an object may have at a path. */
function namesAt(schema: Part, path: readonly PropertyKey[]): string[] {
  let parts: readonly Part[] = [schema];
  for (const key of path) {
    parts = parts.flatMap(alternatives).flatMap((part) => {
      const next = typeof key === "number" ? part.items : part.properties?.[String(key)];
      return next === undefined ? [] : [next];
    });
  }
  return parts.flatMap(alternatives).flatMap(({ properties = {} }) => Object.keys(properties));
}

function alternatives(part: Part): readonly Part[] {
  return part.anyOf === undefined ? [part] : part.anyOf.flatMap(alternatives);
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown> | null)?.[key], root);
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= 40 ? text : `${text.slice(0, 39)}…`;
}

function article(expected: string): string {
  const names: Readonly<Record<string, string>> = {
    object: "keys and values",
    record: "keys and values",
    array: "a list",
    int: "a whole number",
    string: "text",
    boolean: "true or false",
  };
  return names[expected] ?? `a ${expected}`;
}

function sentence(message: string): string {
  return /[.?]$/.test(message) ? message : `${message}.`;
}
