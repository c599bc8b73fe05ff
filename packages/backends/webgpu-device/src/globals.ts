import type { Gpu } from "./find.ts";

/** Defines the globals that libraries written for pages expect: `navigator.gpu`, and WebGPU's classes and constants. */
export function provideNavigatorGpu({ api, globals }: Gpu): void {
  for (const [name, value] of Object.entries(globals)) {
    if (!(name in globalThis))
      Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
  if (globalThis.navigator?.gpu !== undefined) return;
  Object.defineProperty(globalThis.navigator, "gpu", { value: api, configurable: true });
}
