/** One promise, for any test runner: `run` throws an Error that says what was wrong. */
export interface Check {
  readonly name: string;
  /** Throws an Error that says what was wrong. */
  run(): Promise<void>;
}

/** Throws an Error unless something holds. */
export function ensure(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}
