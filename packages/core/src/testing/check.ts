/** One requirement, for any test runner: `run` throws an Error that says what is wrong. */
export interface Check {
  readonly name: string;
  /** Throws an Error that says what is wrong. */
  run(): Promise<void>;
}

/** Throws an Error unless the condition holds. */
export function ensure(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}
