import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, normalize } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import { chromiumPath } from "@espalier/runtimes/chromium";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dist, launch, pagesOf, type Server, serve, site } from "./site.ts";

if (!existsSync(dist)) throw new Error("there is no built site: run `npx -y pnpm@12 docs:build` first.");

const pages = pagesOf(dist);

/** What a reader sees most, one of each kind. */
const main = [
  "index.html",
  "guides/quick-start.html",
  "guides/concepts.html",
  "reference/index.html",
  "results/etth1-quick.html",
  "results/peers.html",
  "reference/api/recipe-node.html",
  "reference/cli/prune.html",
].filter((page) => pages.includes(page));

describe("links", () => {
  it("lead to a page, and to a place that it has", async () => {
    const texts = new Map<string, string>();
    for (const page of pages) texts.set(page, await readFile(join(dist, page), "utf8"));
    const dead = [...texts].flatMap(([page, html]) =>
      [...html.matchAll(/<a\b[^>]*\shref="([^"]*)"/g)].flatMap(([, raw]) => {
        const href = raw!.replaceAll("&amp;", "&");
        if (/^[a-z]+:/.test(href)) return [];
        const [path = "", anchor] = href.split("#");
        const target = path === "" ? page : normalize(join(path.startsWith("/") ? "." : dirname(page), path));
        const file = target.endsWith("/") || target === "." ? join(target, "index.html") : target;
        const there = texts.get(file);
        if (there === undefined) return existsSync(join(dist, file)) ? [] : [`${page}: ${href}`];
        if (!anchor) return [];
        return there.includes(`id="${decodeURIComponent(anchor)}"`) ? [] : [`${page}: ${href}`];
      }),
    );
    expect(dead).toEqual([]);
  });
});

describe.skipIf(chromiumPath === undefined)("in a browser (Debian's package chromium)", () => {
  let server: Server;
  let browser: Browser;
  beforeAll(async () => {
    [server, browser] = await Promise.all([serve(dist), launch()]);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  it("every page renders without an error in the console", async () => {
    const left = [...pages];
    const wrong: string[] = [];
    const visit = async () => {
      const tab = await listening(await browser.newContext());
      for (let page = left.shift(); page !== undefined; page = left.shift()) {
        for (const line of await tab.complaintsOf(server.url + page)) wrong.push(`${page}: ${line}`);
      }
      await tab.page.context().close();
    };
    await Promise.all([visit(), visit(), visit()]);
    expect(wrong).toEqual([]);
  });

  it.each(main)("%s has no serious accessibility problem, light or dark", async (path) => {
    const context = await browser.newContext({ colorScheme: "light", reducedMotion: "reduce" });
    const page = await context.newPage();
    await page.goto(server.url + path, { waitUntil: "networkidle" });
    expect(await seriousProblems(new AxeBuilder({ page }))).toEqual([]);
    await page.emulateMedia({ colorScheme: "dark" });
    await page.locator("html.dark").waitFor();
    // The dark page is the same but for its colours.
    expect(await seriousProblems(new AxeBuilder({ page }).withRules("color-contrast"))).toEqual([]);
    await context.close();
  });

  it("the landing page takes less than 300 KB", async () => {
    const own = await serve(dist);
    const page = await freshPage();
    await page.goto(own.url, { waitUntil: "networkidle" });
    const bytes = own.sent();
    await page.context().close();
    await own.close();
    expect(bytes).toBeGreaterThan(20_000);
    expect(bytes).toBeLessThan(300_000);
  });

  it("the landing page's slider shows what was measured", async () => {
    const page = await freshPage();
    await page.goto(server.url, { waitUntil: "networkidle" });
    const read = () => page.locator(".wall dd").allTextContents();
    const slider = page.locator(".wall input");
    const seen = new Set<string>();
    await slider.focus();
    await page.keyboard.press("Home");
    expect((await read()).slice(2)).toEqual(["100 %", "1.0 ×"]);
    for (let i = 0; i < 5; i++) {
      seen.add((await read()).join());
      await page.keyboard.press("ArrowRight");
    }
    expect(seen.size).toBe(5);
    await page.context().close();
  });

  it("search finds a guide by its words", async () => {
    const page = await freshPage();
    await page.goto(server.url, { waitUntil: "networkidle" });
    await page.keyboard.press("Control+k");
    await page.locator(".VPLocalSearchBox input").fill("residual stream");
    const first = page.locator(".VPLocalSearchBox .result").first();
    await first.waitFor();
    expect(await first.textContent()).toMatch(/Concepts/);
    await page.context().close();
  });

  it("charts of results follow what is chosen", async () => {
    const page = await freshPage();
    await page.goto(`${server.url}results/etth1-quick.html`, { waitUntil: "networkidle" });
    const chart = page.locator(".chart svg");
    await chart.waitFor();
    const before = await chart.innerHTML();
    const rows = await page.locator(".numbers tbody tr").count();
    await page.getByRole("button", { name: "Speed-up" }).click();
    await expect.poll(() => chart.innerHTML()).not.toBe(before);
    expect(await page.locator(".chart").getAttribute("aria-label")).toMatch(/^Times as fast as dense/);
    await page.getByRole("button", { name: "unstructured" }).click();
    expect(await page.locator(".numbers tbody tr").count()).toBe(rows - 4);
    await page.context().close();
  });

  it("the quick start begins with the commands that .ci/run runs", async () => {
    const page = await freshPage();
    await page.goto(`${server.url}guides/quick-start.html`, { waitUntil: "networkidle" });
    const shown = (await page.locator(".language-sh code").first().textContent())!.trim().split("\n");
    const tested = await readFile(join(site, "../../.ci/run"), "utf8");
    expect(shown.length).toBe(2);
    for (const command of shown) expect(tested).toContain(`step ${command}`);
    await page.context().close();
  });

  it("the site works below a path of its host", async () => {
    const folder = await mkdtemp(join(tmpdir(), "espalier-docs-"));
    const base = "/some/where/";
    await buildUnder(base, folder);
    const below = await serve(folder, base);
    const { page, complaintsOf } = await listening(await browser.newContext());
    for (const path of ["index.html", "guides/concepts.html", "results/etth1-quick.html"])
      expect(await complaintsOf(below.url + path), path).toEqual([]);
    await page.goto(below.url, { waitUntil: "networkidle" });
    await page.getByRole("link", { name: "How it works" }).click();
    await page.waitForURL(`${below.url}guides/concepts.html`);
    await page.context().close();
    await below.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function freshPage(): Promise<Page> {
    const context = await browser.newContext();
    return context.newPage();
  }
});

async function seriousProblems(axe: AxeBuilder): Promise<string[]> {
  const { violations } = await axe.analyze();
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) =>
      nodes.map((node) => `${id}: ${node.html.slice(0, 160)} ${node.failureSummary ?? ""}`),
    );
}

/** A tab, and what goes wrong while it loads a page. */
async function listening(context: BrowserContext) {
  let lines: string[] = [];
  const page = await context.newPage();
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") lines.push(message.text());
  });
  page.on("pageerror", (error) => lines.push(error.message));
  page.on("response", (response) => {
    if (response.status() >= 400) lines.push(`${response.status()} ${response.url()}`);
  });
  const complaintsOf = async (url: string): Promise<string[]> => {
    lines = [];
    await page.goto(url, { waitUntil: "networkidle" });
    if ((await page.locator("h1").count()) !== 1) lines.push("not one h1");
    return lines;
  };
  return { page, complaintsOf };
}

/** The site built again, of the pages that are there. */
async function buildUnder(base: string, outDir: string): Promise<void> {
  const code = `import { build } from "vitepress"; await build(${JSON.stringify(site)}, { outDir: ${JSON.stringify(outDir)} });`;
  const child = spawn(
    process.execPath,
    ["--conditions=@espalier/source", "--input-type=module", "-e", code],
    {
      cwd: site,
      env: { ...process.env, NODE_ENV: "production", DOCS_BASE: base },
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  let errors = "";
  child.stderr.on("data", (part) => {
    errors += part;
  });
  const status = await new Promise((resolve) => child.on("close", resolve));
  if (status !== 0) throw new Error(`the site cannot be built under ${base}:\n${errors.slice(-2000)}`);
}
