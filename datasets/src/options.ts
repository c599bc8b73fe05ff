import { EspalierError } from "@espalier/core";
import type { Form } from "@espalier/core/forms";
import { z } from "zod";

/**
 * Checks what a caller gave against a schema and fills in the defaults.
 *
 * @throws EspalierError naming the function, the option and what was expected of it.
 */
export function parseOptions<T>(where: string, schema: z.ZodType<T>, given: unknown): T {
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const path = issue.path.map(String).join(".");
  const option = path === "" ? "" : ` option "${path}":`;
  throw new EspalierError(`${where}:${option} ${lowerFirst(issue.message)}.`);
}

/** A schema that has a form checked. */
export function formed<T>(form: Form): z.ZodType<T> {
  return z.custom<T>().superRefine((value, context) => {
    const fault = form(value);
    if (fault === undefined) return;
    const path = fault.at === "" ? [] : fault.at.split(".");
    context.addIssue({ code: "custom", path, message: fault.problem });
  });
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
