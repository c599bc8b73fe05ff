import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { prune } from "@espalier/core";
import { forecastingDataOf, loadSynthetic, withData } from "@espalier/datasets";
import { encodeModel } from "@espalier/formats";
import { patchTST } from "@espalier/models";
import { chromiumPath, launchChromium, withoutChromium } from "@espalier/runtimes/chromium";
import { unstructured } from "@espalier/strategy-unstructured";
import { build } from "esbuild";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createForecaster } from "../../src/index.ts";
import type { Offers } from "./page.ts";

/** As strict as a page that runs WebAssembly can be. */
const policy = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "connect-src 'self'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

const loaded = await loadSynthetic({ rows: 300, series: 3 });
const lengths = { inputLength: 24, horizon: 6 };
const rows = Array.from({ length: 24 }, (_, i) => [...loaded.table.values.subarray(3 * i, 3 * i + 3)]);

describe.skipIf(chromiumPath === undefined)(
  `a page with a strict policy, in Chromium${withoutChromium}`,
  () => {
    const server = createServer();
    let browser: Browser;
    let page: Page;
    let file: Uint8Array;
    const complaints: string[] = [];

    beforeAll(async () => {
      const dense = patchTST({ ...lengths, series: 3, width: 8, feedForward: 8, heads: 2, layers: 1 });
      const model = withData(dense.initialize(1), forecastingDataOf(loaded, lengths));
      const plan = await unstructured().plan({ model, amount: 0.5 });
      file = encodeModel(prune(model, plan));
      const { outputFiles } = await build({
        entryPoints: [fileURLToPath(new URL("page.ts", import.meta.url))],
        conditions: ["@espalier/source"],
        bundle: true,
        format: "esm",
        write: false,
      });
      const served = new Map<string | undefined, [type: string, body: string | Uint8Array]>([
        [
          "/",
          [
            "text/html",
            '<!doctype html><title>Forecast</title><script type="module" src="/page.js"></script>',
          ],
        ],
        ["/page.js", ["text/javascript", outputFiles[0]!.contents]],
        ["/model.safetensors", ["application/octet-stream", file]],
      ]);
      server.on("request", ({ url }, response) => {
        const [type, body] = served.get(url) ?? ["text/plain", ""];
        response.writeHead(200, { "content-type": type, "content-security-policy": policy }).end(body);
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      browser = await launchChromium();
      page = await browser.newPage();
      page.on("console", (message) => complaints.push(message.text()));
      page.on("pageerror", (error) => complaints.push(error.message));
      await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
      await page.waitForFunction(() => "forecast" in globalThis);
    });
    afterAll(async () => {
      await browser?.close();
      server.close();
    });

    const breaches = () => page.evaluate(() => (globalThis as unknown as Offers).breaches);

    it("forecasts with a pruned model, and breaks nothing", async () => {
      const values = await page.evaluate((given) => (globalThis as unknown as Offers).forecast(given), rows);
      const here = await createForecaster(file);
      const expected = [...(await here.forecast(rows)).values];
      here.dispose();
      expect(values.length).toBe(18);
      values.forEach((value, i) => {
        expect(value).toBeCloseTo(expected[i]!, 4);
      });
      expect(await breaches()).toEqual([]);
      expect(complaints).toEqual([]);
    });

    it("has a policy that stops what is unsafe", async () => {
      await page.evaluate(() => (globalThis as unknown as Offers).misbehave());
      await expect
        .poll(breaches)
        .toEqual([
          "require-trusted-types-for: trusted-types-sink",
          "require-trusted-types-for: trusted-types-sink",
          "style-src-elem: inline",
        ]);
    });
  },
);
