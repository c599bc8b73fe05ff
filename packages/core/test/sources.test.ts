import { float32 } from "@espalier/core";
import { expect, it } from "vitest";

/** Files a call went through, as they were loaded: a build's source map would hide where it came from. */
function filesOf(call: () => unknown): (string | null | undefined)[] {
  const prepare = Error.prepareStackTrace;
  Error.prepareStackTrace = (_error, sites) => sites.map((site) => site.getFileName());
  try {
    call();
  } catch (error) {
    return (error as { stack: unknown }).stack as string[];
  } finally {
    Error.prepareStackTrace = prepare;
  }
  return [];
}

it("tests run against the sources, not against a build", () => {
  const files = filesOf(() => float32([2], [1]));
  expect(files[0]).toMatch(/core[\\/]src[\\/]graph[\\/]tensor\.ts$/);
});
