import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

const { CHROMIUM } = process.env;
const paths = CHROMIUM === undefined ? ["/usr/bin/chromium", "/usr/bin/chromium-browser"] : [CHROMIUM];

/** The Chromium that `CHROMIUM` names, or Debian's; undefined if it does not exist. */
export const chromiumPath: string | undefined = paths.find((path) => existsSync(path));

/** Says in a test's or a benchmark's name that Chromium is missing; empty where it is there. */
export const withoutChromium: string =
  chromiumPath === undefined ? " (skipped: no /usr/bin/chromium; name one with CHROMIUM)" : "";

/** Starts Chromium without a window; `args` come after those that keep it from using the network. */
export function launchChromium(args: readonly string[] = []): Promise<Browser> {
  return chromium.launch({
    executablePath: chromiumPath!,
    chromiumSandbox: false,
    args: [
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      ...args,
    ],
  });
}
