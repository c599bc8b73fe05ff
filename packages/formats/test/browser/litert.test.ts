import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Model, randomInputs, reference, runModel } from "@espalier/core";
import { largestError } from "@espalier/core/testing";
import { writeTflite } from "@espalier/formats";
import { chromiumPath, launchChromium, withoutChromium } from "@espalier/runtimes/chromium";
import { litertFolder } from "@espalier/runtimes/litert-node";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { models } from "../subjects.ts";
import type { Offers } from "./litert-page.ts";

describe.skipIf(chromiumPath === undefined)(`LiteRT.js in a page, in Chromium${withoutChromium}`, () => {
  const server = createServer();
  const files = new Map<string, Uint8Array>();
  let browser: Awaited<ReturnType<typeof launchChromium>>;
  let page: Awaited<ReturnType<typeof browser.newPage>>;

  beforeAll(async () => {
    const { outputFiles } = await build({
      entryPoints: [fileURLToPath(new URL("litert-page.ts", import.meta.url))],
      bundle: true,
      format: "esm",
      write: false,
    });
    files.set("page.js", outputFiles[0]!.contents);
    server.on("request", async ({ url = "/" }, response) => {
      const name = decodeURIComponent(basename(url));
      const type = name.endsWith(".js") ? "text/javascript" : name === "" ? "text/html" : "application/wasm";
      response.writeHead(200, { "content-type": type });
      if (name === "") response.end('<!doctype html><body><script type="module" src="/page.js"></script>');
      else response.end(files.get(name) ?? (await readFile(join(litertFolder, name)).catch(() => "")));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    browser = await launchChromium();
    page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    await page.waitForFunction(() => "forecast" in globalThis);
  });
  afterAll(async () => {
    await browser?.close();
    server.close();
  });

  it.each(models)("gives the forecast of %s", async (name: string, model: Model) => {
    files.set(`${name}.tflite`, writeTflite(model));
    const inputs = randomInputs(model, 1);
    const given = [...inputs].map(([key, { shape, data }]) => ({ key, shape: [...shape], data: [...data] }));
    const got = await page.evaluate(([url, list]) => (globalThis as unknown as Offers).forecast(url, list), [
      `/${encodeURIComponent(name)}.tflite`,
      given,
    ] as const);
    for (const [output, { dtype, shape, data }] of await runModel(model, reference, inputs)) {
      const actual = { dtype, shape, data: Float32Array.from(got[output]!) };
      expect(actual.data.length).toBe(data.length);
      expect(largestError(actual, { dtype, shape, data })).toBeLessThan(1e-5);
    }
  });
});
