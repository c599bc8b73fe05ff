import type { Backend } from "@espalier/core";
import { backendChecks } from "@espalier/core/testing";
import type { Conformance } from "./results.ts";

export interface ConformanceSettings {
  /** Its name in the results. */
  readonly name?: string;
  /** Largest error of a value, relative to the largest of its tensor; 1e-5 by default. */
  readonly tolerance?: number;
  readonly onProgress?: (done: number, all: number) => void;
}

/** WGSL promises sines to 2⁻¹¹ of an absolute error only: backends that call them are held to that. */
const coarse = { checks: /^(Sin|Cos) /, tolerance: 5e-4 };

/** Runs everything a backend must do, and says what did not hold; a check that fails costs itself only. */
export async function checkConformance(
  backend: Backend,
  { name = backend.name, tolerance = 1e-5, onProgress }: ConformanceSettings = {},
): Promise<Conformance> {
  const lossTolerance = 10 * tolerance;
  const strict = backendChecks(backend, { tolerance, lossTolerance });
  const loose = backendChecks(backend, { tolerance: Math.max(tolerance, coarse.tolerance), lossTolerance });
  const failures: { name: string; error: string }[] = [];
  for (const [i, check] of strict.entries()) {
    try {
      await (coarse.checks.test(check.name) ? loose[i]! : check).run();
    } catch (error) {
      failures.push({ name: check.name, error: (error as Error).message });
    }
    onProgress?.(i + 1, strict.length);
  }
  return { backend: name, tolerance, checks: strict.length, failures };
}
