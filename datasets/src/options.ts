import { readBy } from "@espalier/core/documents";
import type { Form } from "@espalier/core/forms";
import { z } from "zod";

/**
 * Checks what a caller gave against a schema and fills in the defaults.
 *
 * @throws EspalierError naming the function, the option and what was expected of it.
 */
export function parseOptions<T>(where: string, schema: z.ZodType<T>, given: unknown): T {
  return readBy(schema, given, (path) =>
    path.length === 0 ? where : `${where}: option "${path.map(String).join(".")}"`,
  );
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
