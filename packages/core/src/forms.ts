/**
 * Checks of the form of JSON from a file, written by hand: core has no dependency, and what a page loads stays small.
 * Whether content of the right form makes sense is for its reader to check.
 */

/** A fault in JSON: its place (keys and indices joined by dots, empty at the top) and its description. */
export interface Fault {
  readonly at: string;
  readonly problem: string;
}

/** Finds the first fault of a value; undefined if it has the right form. */
export type Form = (value: unknown) => Fault | undefined;

/** A value that passes a test; `what` completes "expected …". */
export function such(what: string, passes: (value: unknown) => boolean): Form {
  return (value) =>
    passes(value) ? undefined : { at: "", problem: `expected ${what}, received ${shown(value)}` };
}

/** A string. */
export const text: Form = such("a text", (value) => typeof value === "string");
/** A finite number. */
export const number: Form = such("a number", Number.isFinite);
/** A number above zero. */
export const positive: Form = such(
  "a number above 0",
  (value) => Number.isFinite(value) && Number(value) > 0,
);
/** A whole number from 0. */
export const count: Form = such(
  "a whole number from 0",
  (value) => Number.isSafeInteger(value) && Number(value) >= 0,
);

/** One of some texts. */
export function oneOf(...names: readonly string[]): Form {
  return such(`one of ${names.join(", ")}`, (value) => names.includes(value as string));
}

/** An array whose elements all have a form. */
export function listOf(form: Form, least = 0): Form {
  return (value) => {
    if (!Array.isArray(value)) return such("a list", () => false)(value);
    if (value.length < least) return { at: "", problem: `expected at least ${least} elements` };
    for (let i = 0; i < value.length; i++) {
      const fault = form(value[i]);
      if (fault !== undefined) return within(`${i}`, fault);
    }
    return undefined;
  };
}

/** An object with any keys, whose values all have a form. */
export function recordOf(form: Form): Form {
  return (value) =>
    isObject(value) ? first(value, Object.keys(value), () => form) : such("an object", () => false)(value);
}

/** An object with these keys, of which `optional` ones may be absent; unless `open`, other keys are faults. */
export function object(
  required: Readonly<Record<string, Form>>,
  optional: Readonly<Record<string, Form>> = {},
  { open = false }: { readonly open?: boolean } = {},
): Form {
  return (value) => {
    if (!isObject(value)) return such("an object", () => false)(value);
    const keys = Object.keys(value).filter((key) => value[key] !== undefined);
    const known = { ...required, ...optional };
    const strange = open ? undefined : keys.find((key) => !Object.hasOwn(known, key));
    if (strange !== undefined) return { at: "", problem: `"${strange}" is not known` };
    const told = keys.filter((key) => Object.hasOwn(optional, key));
    return first(value, [...Object.keys(required), ...told], (key) => known[key]!);
  };
}

/** Any of several forms; `what` names them all. */
export function either(what: string, ...forms: readonly Form[]): Form {
  return such(what, (value) => forms.some((form) => form(value) === undefined));
}

/** Any JSON value. */
export const json: Form = (value) => {
  if (Array.isArray(value)) return listOf(json)(value);
  if (isObject(value)) return recordOf(json)(value);
  const plain = value === null || typeof value === "string" || typeof value === "boolean";
  return plain ? undefined : number(value);
};

function first(
  value: Readonly<Record<string, unknown>>,
  keys: readonly string[],
  formOf: (key: string) => Form,
): Fault | undefined {
  for (const key of keys) {
    const fault = formOf(key)(value[key]);
    if (fault !== undefined) return within(key, fault);
  }
  return undefined;
}

function within(key: string, { at, problem }: Fault): Fault {
  return { at: at === "" ? key : `${key}.${at}`, problem };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  return JSON.stringify(value)?.slice(0, 40) ?? typeof value;
}
