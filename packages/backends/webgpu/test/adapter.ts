import { describe, it } from "vitest";
import { webgpu } from "../src/index.ts";

/** Why nothing can be tried here; undefined where an adapter is there. */
const { available, detail } = await webgpu().availability();

/** Tests that need an adapter; skipped, with the reason as their only line, where there is none. */
export function describeOnAdapter(name: string, tests: () => void): void {
  if (available) describe(name, tests);
  else describe(name, () => it.skip(`skipped: ${detail}`, () => {}));
}
