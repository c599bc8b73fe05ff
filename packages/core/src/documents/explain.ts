import { EspalierError, nearestName } from "../errors.ts";

/** One refusal of a schema, as zod has them; which of the fields there are depends on the code. */
export interface Issue {
  readonly code?: string | undefined;
  readonly path: readonly PropertyKey[];
  readonly message: string;
  /** Keys that are not known. */
  readonly keys?: readonly string[];
  /** Values that are allowed. */
  readonly values?: readonly unknown[];
  readonly options?: readonly unknown[];
  readonly expected?: string;
  readonly minimum?: number | bigint;
  readonly maximum?: number | bigint;
  readonly inclusive?: boolean | undefined;
  /** Refusals of each alternative, their paths from this one's. */
  readonly errors?: readonly (readonly Issue[])[];
}

/** The part of a JSON schema that names what may be given. */
interface Part {
  readonly properties?: Readonly<Record<string, Part>>;
  readonly items?: Part;
  readonly anyOf?: readonly Part[];
  readonly oneOf?: readonly Part[];
  readonly const?: unknown;
}

/** The path of the key with the problem. */
function placeOf(issue: Issue): readonly PropertyKey[] {
  return issue.code === "unrecognized_keys" ? [...issue.path, issue.keys![0]!] : issue.path;
}

/**
 * Throws an EspalierError for the most telling of a schema's refusals: where, what is wrong, what is allowed, and the
 * nearest of it. `schema` is the JSON schema of the whole; `place` says where a key is.
 */
export function refuse(
  issues: readonly Issue[],
  root: unknown,
  schema: unknown,
  place: (path: readonly PropertyKey[]) => string,
): never {
  // A slip in a key is the cause, and that the key is missing only follows from it.
  const telling = issues.map(innermost);
  const issue = telling.find(({ code }) => code === "unrecognized_keys") ?? telling[0]!;
  throw new EspalierError(`${place(placeOf(issue))}: ${explain(issue, root, schema)}`);
}

/** If all alternatives were refused, returns the refusal that got farthest into the value: that alternative was meant. */
function innermost(issue: Issue): Issue {
  const { errors = [] } = issue;
  if (issue.code !== "invalid_union" || errors.length === 0) return issue;
  const inner = errors.flat().map((one) => innermost({ ...one, path: [...issue.path, ...one.path] }));
  const deepest = inner.reduce((a, b) => (b.path.length > a.path.length ? b : a));
  return deepest.path.length > issue.path.length ? deepest : issue;
}

/** Describes the problem of a value, the allowed values, and the nearest one. `schema` is the JSON schema of the whole. */
function explain(issue: Issue, root: unknown, schema: unknown): string {
  const value = valueAt(root, placeOf(issue));
  switch (issue.code) {
    case "unrecognized_keys":
      return `is not known.${nearest(issue.keys![0]!, namesAt(schema as Part, root, issue.path))}`;
    case "invalid_value": {
      const allowed = issue.values!.map(String);
      return `${shown(value)} is not one of these.${nearest(String(value), allowed)}`;
    }
    case "invalid_type":
      if (value === undefined) return `is missing: expected ${article(issue.expected!)}.`;
      return `expected ${article(issue.expected!)}, found ${shown(value)}.`;
    case "invalid_union": {
      const { options = [], errors = [] } = issue;
      const expected = errors.flat().flatMap((one) => (one.path.length === 0 ? (one.expected ?? []) : []));
      if (options.length === 0 && expected.length > 0)
        return `expected ${expected.map(article).join(" or ")}, found ${shown(value)}.`;
      if (options.length === 0) return sentence(issue.message);
      const allowed = options.map(String);
      return value === undefined
        ? `is missing: expected one of ${allowed.join(", ")}.`
        : `${shown(value)} is not one of these.${nearest(String(value), allowed)}`;
    }
    case "too_big":
    case "too_small":
      return typeof value === "number" && /^Too (big|small)/.test(issue.message)
        ? `${outside(issue)}, found ${value}.${asShare(value, issue)}`
        : sentence(issue.message);
    default:
      return sentence(issue.message);
  }
}

function outside(issue: Issue): string {
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
  const suggestion = nearestName(given, known);
  const hint = suggestion === undefined ? "" : ` Did you mean "${suggestion}"?`;
  return known.length === 0 ? hint : `${hint} Known: ${known.join(", ")}.`;
}

/** Keys that an object may have at a path; of alternatives, those that the value is one of. */
function namesAt(schema: Part, root: unknown, path: readonly PropertyKey[]): string[] {
  let parts = alternatives(schema, root);
  let value = root;
  for (const key of path) {
    value = (value as Record<PropertyKey, unknown> | null)?.[key];
    parts = parts.flatMap((part) => {
      const next = typeof key === "number" ? part.items : part.properties?.[String(key)];
      return next === undefined ? [] : alternatives(next, value);
    });
  }
  return [...new Set(parts.flatMap(({ properties = {} }) => Object.keys(properties)))];
}

function alternatives(part: Part, value: unknown): readonly Part[] {
  const ways = part.anyOf ?? part.oneOf;
  if (ways !== undefined) return ways.flatMap((way) => alternatives(way, value));
  const given = (value ?? {}) as Readonly<Record<string, unknown>>;
  const other = Object.entries(part.properties ?? {}).some(
    ([key, { const: fixed }]) => fixed !== undefined && given[key] !== undefined && given[key] !== fixed,
  );
  return other ? [] : [part];
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
