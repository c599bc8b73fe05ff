/**
 * Handling of rows that are not one step apart. `warn`: they are kept, with a note. `error`: they are refused. `fill`: rows
 * that are missing are put in, with values by the rule for missing ones (forward-fill where there is none), and of rows
 * of one moment the last counts. `split`: no window reaches across.
 */
export type GapRule = "warn" | "error" | "fill" | "split";

/** Every rule, for help texts and validation. */
export const gapRules: readonly GapRule[] = ["warn", "error", "fill", "split"];
