import { z } from "zod";

/** Something by name; all other keys are its options. */
export const useSchema = z.looseObject({ use: z.string() });

/** A model or strategy by name (`use`); all other keys are its options. */
export type UseConfig = z.output<typeof useSchema>;
