import type { Availability } from "@espalier/core";
import { backendChecks } from "@espalier/core/testing";
import { chromiumPath, launchChromium, withoutChromium } from "@espalier/runtimes/chromium";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type WasmOptions, wasm } from "../../src/index.ts";
import { type Site, servePage } from "./page.ts";

/** What the page offers. */
interface Offers {
  availability(options: WasmOptions): Promise<Availability>;
  conformance(options: WasmOptions): Promise<{ checks: number; failures: string[] }>;
}

const all = backendChecks(wasm()).length;

describe.skipIf(chromiumPath === undefined)(`in Chromium, from a plain page${withoutChromium}`, () => {
  let site: Site;
  let browser: Browser;

  beforeAll(async () => {
    [site, browser] = await Promise.all([servePage(), launchChromium()]);
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  async function open(url: string): Promise<Page> {
    const page = await browser.newPage();
    const errors: string[] = [];
    page.on("pageerror", (error) => errors.push(error.message));
    await page.goto(url);
    await page
      .waitForFunction(() => "conformance" in globalThis)
      .catch((error: Error) => {
        throw new Error([error.message, ...errors].join("\n"));
      });
    return page;
  }

  const conformance = (page: Page, options: WasmOptions) =>
    page.evaluate((given) => (globalThis as unknown as Offers).conformance(given), options);

  it.each(["relaxed", "plain"] as const)("one thread conforms without headers, %s SIMD", async (simd) => {
    const page = await open(site.plain);
    expect(await conformance(page, { simd })).toEqual({ checks: all, failures: [] });
    await page.close();
  });

  it.each(["relaxed", "plain"] as const)("two threads conform on an isolated page, %s SIMD", async (simd) => {
    const page = await open(site.isolated);
    expect(await conformance(page, { simd, threads: 2 })).toEqual({ checks: all, failures: [] });
    await page.close();
  });

  it("two threads are refused without headers, and it is said which are needed", async () => {
    const page = await open(site.plain);
    const { available, detail } = await page.evaluate(() =>
      (globalThis as unknown as Offers).availability({ threads: 2 }),
    );
    expect(available).toBe(false);
    expect(detail).toContain("Cross-Origin-Embedder-Policy: require-corp");
    await page.close();
  });
});
