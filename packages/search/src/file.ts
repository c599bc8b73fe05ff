import { EspalierError } from "@espalier/core";
import { jsonSchemaOf, readBy, refuseNewerFormat } from "@espalier/core/documents";
import { dataSchema, readYaml } from "@espalier/recipe";
import { z } from "zod";
import { checkFront, type Goal, goalShape, readGoal } from "./goal.ts";
import { type SettingsInput, settingsShape } from "./settings.ts";

const duration = /^(\d+(?:\.\d+)?) ?(s|m|h)$/;
const durationHint = 'expected a time such as "30m", "90s" or "2h"';

const fileSchema = z.strictObject({
  $schema: z.string().optional().describe("For editors: the location of this schema."),
  format: z.literal(1).optional().describe("Version of the format of search files."),
  model: z
    .string()
    .optional()
    .describe("The model file, next to this file; left out if the command line names it."),
  data: dataSchema.optional().describe("Data; by default what the model was trained on."),
  ...goalShape,
  budget: z
    .string()
    .regex(duration, { error: durationHint })
    .optional()
    .describe('The time that the search may take, such as "30m"; comparing and testing come after.'),
  evaluations: z.int().min(1).optional().describe("Fine-tunings of candidates after which the search ends."),
  strategies: z
    .array(z.string())
    .optional()
    .describe("Further strategies to choose from, by name: those of plug-ins."),
  ...settingsShape,
});

/** A search as it is written in a file. */
export type SearchFile = z.input<typeof fileSchema>;

/** Reads a search file, YAML or JSON. Throws an EspalierError that names the line and key, and what is allowed. */
export function readSearchFile(text: string, where: string): SearchFile {
  const { value, line } = readYaml(text, where);
  refuseNewerFormat(value, "search", where);
  const place = (path: readonly PropertyKey[]) =>
    `${where}, line ${line(path)}${path.length === 0 ? "" : `, ${path.map(String).join(".")}`}`;
  readBy(fileSchema, value, place);
  return value as SearchFile;
}

/** The JSON schema of search files, for editors and documentation. */
export function searchJsonSchema(): unknown {
  return jsonSchemaOf(fileSchema);
}

/** Seconds of a time such as `30m`. Throws an EspalierError for other text. */
export function secondsOf(time: string): number {
  const [, number, unit] = duration.exec(time) ?? [];
  if (number === undefined) throw new EspalierError(`"${time}": ${durationHint}.`);
  return Number(number) * { s: 1, m: 60, h: 3600 }[unit as "s" | "m" | "h"];
}

/** The goal and the settings of a search file. Throws an EspalierError for limits that contradict each other. */
export function partsOf(
  file: SearchFile,
  name?: (key: keyof Goal | "front") => string,
): { goal: Goal; settings: SettingsInput } {
  const pick = (shape: object) =>
    Object.fromEntries(Object.entries(file).filter(([key, value]) => key in shape && value !== undefined));
  const goal = pick(goalShape) as Goal;
  const settings = pick(settingsShape) as SettingsInput;
  if (settings.front) checkFront(goal, name);
  return { goal: readGoal(goal, name), settings };
}
