import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import { digest, type TensorData } from "@espalier/core";
import { formatCsv, synthetic } from "@espalier/datasets";
import { decodeModel, encodeModel, writeSafetensors } from "@espalier/formats";
import { iTransformer } from "@espalier/models";
import { chromiumPath } from "@espalier/runtimes/chromium";
import { run } from "espalier";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dist, launch, type Server, serve } from "./site.ts";

if (!existsSync(dist)) throw new Error("there is no built site: run `npx -y pnpm@12 docs:build` first.");

/** Cells of the results that a plan decides. */
interface Counts {
  readonly nonzero: number;
  readonly flops: number;
  readonly bytes: number;
}

describe.skipIf(chromiumPath === undefined)("the playground", () => {
  let server: Server;
  let browser: Browser;
  let page: Page;
  let folder: string;
  const complaints: string[] = [];

  beforeAll(async () => {
    // Under the path that the site was built for.
    const html = await readFile(join(dist, "playground.html"), "utf8");
    const base = /"(\/[^"]*)assets\//.exec(html)![1]!;
    [server, browser, folder] = await Promise.all([
      serve(dist, base),
      launch(),
      mkdtemp(join(tmpdir(), "espalier-playground-")),
    ]);
    page = await opened();
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function opened(options: Parameters<Browser["newContext"]>[0] = {}): Promise<Page> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    const fresh = await context.newPage();
    fresh.setDefaultTimeout(90_000);
    fresh.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
    });
    fresh.on("pageerror", (error) => complaints.push(error.message));
    await fresh.goto(`${server.url}playground.html`);
    await fresh.locator("[data-line=pruned]").waitFor();
    await idle(fresh);
    return fresh;
  }

  const textOf = async (place: Locator) => ((await place.textContent()) ?? "").replaceAll(/\s+/g, " ").trim();

  const idle = (where = page) => where.locator(".playground[data-state=idle]").waitFor();

  /** Sets what is pruned, and waits until it is: from the moment it is set, the page is not idle. */
  async function prune(strategy: string, percent: number, where = page): Promise<void> {
    await where.getByRole("radio", { name: strategy, exact: true }).check({ force: true });
    await where.locator("#amount").fill(`${percent}`);
    await idle(where);
  }

  /** Clicks, and cancels what that began as soon as something is there: in the same task, so never too late. */
  async function cancelled(selector: string, seen = "[data-action=cancel]"): Promise<void> {
    await page.locator(selector).evaluate(
      (element: HTMLElement, seen) =>
        new Promise<void>((resolve) => {
          const observer = new MutationObserver(() => {
            if (document.querySelector(seen) === null) return;
            observer.disconnect();
            document.querySelector<HTMLElement>("[data-action=cancel]")!.click();
            resolve();
          });
          observer.observe(document.body, { subtree: true, childList: true });
          element.click();
        }),
      seen,
    );
    await idle();
  }

  async function counts(side: "before" | "after"): Promise<Counts> {
    const read = (id: string) => page.locator(`[data-count=${id}]`).getAttribute(`data-${side}`).then(Number);
    return { nonzero: await read("nonzero"), flops: await read("flops"), bytes: await read("bytes") };
  }

  async function saved(format: string, where = page): Promise<string> {
    const [download] = await Promise.all([
      where.waitForEvent("download"),
      where.locator(`[data-save=${format}]`).click(),
    ]);
    const path = join(folder, download.suggestedFilename());
    await download.saveAs(path);
    return path;
  }

  const decoded = async (path: string) => decodeModel(await readFile(path));

  /** Runs the command in the test's folder; gives what it printed as JSON. */
  async function espalier(...args: string[]) {
    const written = { stdout: "", stderr: "" };
    const to = (stream: keyof typeof written) => ({
      write(text: string) {
        written[stream] += text;
      },
    });
    const code = await run(args, {
      cwd: folder,
      env: {},
      stdout: to("stdout"),
      stderr: to("stderr"),
    });
    expect({ code, ...written }).toMatchObject({ code: 0 });
    return JSON.parse(written.stdout);
  }

  const countsIn = ({ parameters, flops, bytes }: Record<string, Record<string, number>>): Counts => ({
    nonzero: parameters!.nonzero!,
    flops: flops!.effective!,
    bytes: bytes!.stored!,
  });

  /** The command line that the page shows, without `npx … espalier`, as arguments. */
  async function shownCommand(): Promise<string[]> {
    const text = await textOf(page.locator("[data-command]"));
    return [...text.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!).slice(4);
  }

  it.each([
    ["Heads", [15, 30, 45], 3],
    ["Channels", [25, 50, 75], 3],
    // Of two layers one module of each kind stays: there are two ways to go.
    ["Depth", [15, 30, 44], 2],
    ["Weights", [30, 60, 90], 3],
    ["Combined", [30, 60, 90], 3],
  ])(
    "prunes at three sparsities as the command it shows does: %s",
    async (strategy, sparsities, distinct) => {
      const dense = await saved("dense");
      const lines = new Set<string | null>();
      for (const percent of sparsities) {
        await prune(strategy, percent);
        const args = await shownCommand();
        expect(join(folder, args[1]!)).toBe(dense);
        const { before, after } = await espalier(...args, "--force", "--json");
        expect(await counts("before")).toEqual(countsIn(before));
        expect(await counts("after")).toEqual(countsIn(after));
        lines.add(await page.locator("[data-line=pruned]").getAttribute("d"));
        const errors = page.locator("[data-errors]");
        expect(await errors.getAttribute("data-pruned")).not.toBe(await errors.getAttribute("data-dense"));
      }
      expect(lines.size).toBe(distinct);
    },
  );

  it.each([
    ["Channels", "flops", "", 50],
    ["Combined", "bytes", "2:4", 35],
    ["Weights", "sparsity", "4x1", 80],
  ])("and for other targets and structures: %s, %s %s", async (strategy, metric, structure, percent) => {
    await saved("dense");
    await page.getByRole("radio", { name: strategy, exact: true }).check({ force: true });
    await page.getByLabel("What the target counts").selectOption(metric);
    if (structure !== "") await page.locator("#structure").selectOption(structure);
    await page.locator("#amount").fill(`${percent}`);
    const share = metric === "sparsity" ? percent / 100 : 1 - percent / 100;
    const shown = page.locator("[data-command]");
    if (structure !== "") await shown.filter({ hasText: `structure=${structure}` }).waitFor();
    await shown.filter({ hasText: `--${metric} ${share} ` }).waitFor();
    await idle();
    const { after } = await espalier(...(await shownCommand()), "--force", "--json");
    expect(await counts("after")).toEqual(countsIn(after));
    await page.getByLabel("What the target counts").selectOption("sparsity");
    if (structure !== "") await page.locator("#structure").selectOption("");
  });

  it("says why a target cannot be met, and shows the nearest plan", async () => {
    await prune("Heads", 90);
    expect(await textOf(page.locator("[data-unmet]"))).toMatch(/with everything that "head" may remove/);
    expect(await shownCommand()).toContain("--accept-nearest");
    expect((await counts("after")).nonzero).toBeLessThan((await counts("before")).nonzero);
  });

  it("shows heads that are gone, and a picture of every weight matrix", async () => {
    await prune("Heads", 50);
    const names = await page
      .locator(".heads")
      .evaluateAll((all) => all.map((e) => e.getAttribute("aria-label")));
    expect(names).toHaveLength(2);
    expect(names.join()).toMatch(/[1-7] of 8 heads kept; gone: \d/);
    const drawn = await page.locator("canvas").evaluateAll((all) =>
      (all as HTMLCanvasElement[]).map((canvas) => {
        const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
        const filled = data.filter((_, i) => i % 4 === 3 && data[i]! > 0).length;
        return { label: canvas.getAttribute("aria-label")!, share: filled / (data.length / 4) };
      }),
    );
    expect(drawn).toHaveLength(14);
    const query = drawn.find(({ label }) => label.includes("query_projection"))!;
    const kept = Number(/(\d+) % kept/.exec(query.label)![1]) / 100;
    expect(kept).toBeLessThan(1);
    expect(query.share).toBeCloseTo(kept, 1);
  });

  it("scores on the shown series, and moves with it", async () => {
    await prune("Weights", 60);
    const before = await page.locator("[data-errors]").getAttribute("data-pruned");
    await page.locator("#criterion").selectOption("wanda");
    await page.locator("[data-command]", { hasText: "--criterion wanda" }).waitFor();
    await idle();
    expect(Number(await page.locator("[data-errors]").getAttribute("data-pruned"))).toBeLessThan(
      Number(before),
    );
    const line = await page.locator("[data-line=pruned]").getAttribute("d");
    await page.locator("#window").fill("7");
    await page.locator(`[data-line=pruned]:not([d="${line}"])`).waitFor();
    await page.locator("#criterion").selectOption("l2");
    await page.locator("[data-command]", { hasText: "--criterion l2" }).waitFor();
    await idle();
  });

  it("fine-tunes here: the error falls, and cancelling keeps the pruned model", async () => {
    await prune("Combined", 60);
    const error = (of: "dense" | "pruned") =>
      page.locator("[data-errors]").getAttribute(`data-${of}`).then(Number);
    const [dense, before] = [await error("dense"), await error("pruned")];
    await cancelled("[data-action=tune]", ".curve");
    expect(await page.locator("[data-line=tuned]").count()).toBe(0);
    expect(await error("pruned")).toBe(before);
    await page.locator("[data-action=tune]").click();
    await page.locator("[data-line=tuned]").waitFor();
    await idle();
    expect(before / dense).toBeGreaterThan(1.1);
    expect((await error("pruned")) / dense).toBeLessThan(1.03);
  });

  /** The recipe on the page, given to the command, makes the model on the page. */
  async function expectSameBytes(): Promise<void> {
    const recipe = await readFile(await saved("recipe"), "utf8");
    expect(await page.locator("[data-recipe]").textContent()).toBe(recipe);
    await saved("dense");
    await espalier(...(await shownCommand()), "--force", "--json");
    const [own, theirs] = [await saved("safetensors"), join(folder, "tuned.safetensors")];
    expect(digest(await decoded(theirs))).toBe(digest(await decoded(own)));
    expect(Buffer.compare(await readFile(theirs), await readFile(own))).toBe(0);
  }

  it("gives a recipe of it, by which the command writes the same bytes", async () => {
    await saved("series");
    await expectSameBytes();
  });

  it("writes a model that the command reads, as safetensors and as ONNX", async () => {
    await prune("Combined", 70);
    const expected = await counts("after");
    const model = await saved("safetensors");
    expect(countsIn(await espalier("inspect", model, "--json"))).toEqual(expected);
    const onnx = await saved("onnx");
    await espalier("import", onnx, "--out", "again.safetensors", "--json");
    expect(countsIn(await espalier("inspect", "again.safetensors", "--json"))).toEqual(expected);
    const plan = await saved("plan");
    const { after } = await espalier(
      "prune",
      await saved("dense"),
      "--plan",
      plan,
      "--out",
      "planned.safetensors",
      "--json",
    );
    expect(countsIn(after)).toEqual(expected);
    // The same weights; how they came about is another story, which the file tells.
    const [planned, shown] = await Promise.all([join(folder, "planned.safetensors"), model].map(decoded));
    expect(digest(planned!)).toBe(digest(shown!));
    // The same story as well: the same bytes.
    await espalier(...(await shownCommand()), "--force", "--json");
    expect(Buffer.compare(await readFile(join(folder, "pruned.safetensors")), await readFile(model))).toBe(0);
  });

  it("measures both models in turns, and tells a software adapter from a GPU", async () => {
    await page.locator("[data-action=measure]").click();
    const wasm = page.locator("[data-backend=wasm]");
    await wasm.locator("[data-ratio]").waitFor();
    expect(await textOf(wasm.locator("h3"))).toMatch(/(relaxed|plain) SIMD/);
    for (const side of ["dense", "pruned"])
      expect(await textOf(wasm.locator(`[data-time=${side}]`))).toMatch(/^[\d.]+ ± [\d.]+ (µs|ms|s)$/);
    expect(await textOf(wasm.locator("[data-ratio]"))).toMatch(
      /ratio \d+\.\d\d ± \d+\.\d\d, [\d,]+ calls of each, batch 1/,
    );
    const gpu = page.locator("[data-backend=webgpu]");
    if (/software/.test(await textOf(gpu))) expect(await gpu.locator("[data-time]").count()).toBe(0);
  });

  it("prunes and measures the wide model, which can be cancelled", async () => {
    await cancelled("[data-model=itransformer-wide]");
    expect(await page.locator("[data-model=itransformer-etth1] input").isChecked()).toBe(true);
    await page.locator("[data-model=itransformer-wide]").click();
    await prune("Weights", 90);
    await page.locator("[data-action=measure]").click();
    await page.locator("[data-backend=wasm] [data-ratio]").waitFor();
    await idle();
    await cancelled("[data-action=measure]");
    expect(await page.locator("[data-ratio]").count()).toBe(0);
    await page.locator("[data-model=patchtst-etth1]").click();
    await page.locator("[data-command]", { hasText: "patchtst-etth1" }).waitFor();
    await idle();
  });

  async function drop(kind: "model" | "series", name: string, content: Uint8Array | string): Promise<void> {
    const buffer = Buffer.from(content as Uint8Array);
    await page.locator(`[data-file=${kind}] input`).setInputFiles({ name, mimeType: "", buffer });
    await page.locator(".playground[data-state=idle]").waitFor();
  }

  it("answers files it cannot read in one line, and keeps what it had", async () => {
    const onnx = await readFile(new URL("../playground/models/patchtst-etth1.onnx", import.meta.url));
    const before = await counts("after");
    const broken: [kind: "model" | "series", name: string, content: Uint8Array | string, line: RegExp][] = [
      ["model", "cut.onnx", onnx.subarray(0, 5000), /^cut\.onnx: /],
      ["model", "text.safetensors", "not a model at all", /^text\.safetensors/],
      [
        "model",
        "huge.safetensors",
        Uint8Array.of(255, 255, 255, 255, 255, 255, 0, 0, 123),
        /^huge\.safetensors/,
      ],
      ["model", "empty.onnx", "", /^empty\.onnx: /],
      ["series", "words.csv", "a,b\n1,two\n", /^data words\.csv, row 2, column "b": "two" is not a number/],
      ["series", "model.csv", onnx.subarray(0, 5000), /^data model\.csv: is not a text file/],
    ];
    for (const [kind, name, content, line] of broken) {
      await drop(kind, name, content);
      const text = await textOf(page.getByRole("alert").locator("span"));
      expect(text).toMatch(line);
      expect(text).not.toMatch(/should not have|\n/);
      await page.getByRole("alert").getByRole("button").click();
    }
    expect(await counts("after")).toEqual(before);
  });

  it("opens weights alone once it knows what they are of", async () => {
    const { graph, tensors } = decodeModel(await readFile(await saved("dense")));
    const weights = graph.tensors.flatMap(({ name, role }): [string, TensorData][] =>
      role !== "constant" ? [[name, tensors.get(name)!]] : [],
    );
    await drop("model", "weights.safetensors", writeSafetensors(new Map(weights)));
    const form = page.locator("form");
    expect(await form.locator("select").inputValue()).toBe("PatchTST");
    await form.getByLabel("heads").fill("5");
    await form.getByRole("button", { name: "Open" }).click();
    expect(await textOf(page.getByRole("alert").locator("span"))).toMatch(
      /weights\.safetensors: model "PatchTST", width: must be a multiple of heads/,
    );
    await form.getByLabel("heads").fill("4");
    await form.getByRole("button", { name: "Open" }).click();
    await page.locator("[data-command]", { hasText: "weights.safetensors" }).waitFor();
    await idle();
    expect((await counts("before")).nonzero).toBe(141_920);
  });

  it("shows a series of the visitor's, or why it does not fit", async () => {
    const table = (series: number, rows: number) => formatCsv(synthetic({ rows, series, seed: 3 }));
    await drop("series", "own.csv", table(7, 400));
    expect(await textOf(page.locator(".source"))).toMatch(/^own\.csv: 400 rows of 7 series/);
    await page.locator("[data-line=pruned]").waitFor();
    await drop("series", "three.csv", table(3, 400));
    expect(await textOf(page.locator("[data-misfit]"))).toMatch(
      /three\.csv has 3 series, the model forecasts 7/,
    );
    await drop("series", "short.csv", table(7, 100));
    expect(await textOf(page.locator("[data-misfit]"))).toMatch(/short\.csv has 100 rows.*192 are needed/);
    expect(await page.locator("[data-line=pruned]").count()).toBe(0);
    expect(await page.locator("[data-action=measure]").isEnabled()).toBe(true);
  });

  it("searches for the smallest model within an error, whose recipe gives the same bytes", async () => {
    // Small, so that even a busy machine tries many in a minute.
    const small = iTransformer({ inputLength: 24, horizon: 8, series: 3, width: 16, heads: 2, layers: 1 });
    const series = formatCsv(synthetic({ rows: 400, series: 3, seed: 3 }));
    await drop("series", "hourly.csv", series);
    await writeFile(join(folder, "hourly.csv"), series);
    await drop("model", "small.safetensors", encodeModel(small.initialize(1)));
    await idle();
    const before = await counts("after");
    await cancelled("[data-action=find]");
    expect(await counts("after")).toEqual(before);
    await page.locator("[data-action=find]").click();
    await page.locator("[data-line=found]").waitFor({ timeout: 200_000 });
    await idle();
    const [{ bytes: dense }, { bytes: found }] = [await counts("before"), await counts("after")];
    expect(found).toBeLessThan(dense / 2);
    expect(await textOf(page.locator("[data-line=found]"))).toMatch(/ → .* of the bytes; MSE .*, one seed$/);
    expect(await page.locator("[data-save=plan]").isDisabled()).toBe(true);
    await expectSameBytes();
  });

  it("is worked by keyboard, and fits a phone", async () => {
    const phone = await opened({ viewport: { width: 390, height: 844 }, hasTouch: true });
    await phone.locator("#amount").focus();
    const before = await textOf(phone.locator("output[for=amount]"));
    await phone.keyboard.press("ArrowRight");
    expect(await textOf(phone.locator("output[for=amount]"))).not.toBe(before);
    await phone.keyboard.press("Tab");
    await phone.keyboard.press("ArrowLeft");
    await phone.locator("[data-command]", { hasText: "--strategy unstructured --criterion l2" }).waitFor();
    const { scroll, width } = await phone.evaluate(() => ({
      scroll: document.documentElement.scrollWidth,
      width: innerWidth,
    }));
    expect(scroll).toBeLessThanOrEqual(width);
    await phone.context().close();
  });

  it("has no serious accessibility problem, light or dark", async () => {
    await page.locator("[data-model=itransformer-etth1]").click();
    await page.locator("[data-command]", { hasText: "itransformer-etth1" }).waitFor();
    await idle();
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.locator(`html${colorScheme === "dark" ? ".dark" : ":not(.dark)"}`).waitFor();
      const { violations } = await new AxeBuilder({ page }).include(".playground-page").analyze();
      const serious = violations
        .filter(({ impact }) => impact === "serious" || impact === "critical")
        .flatMap(({ id, nodes }) =>
          nodes.map((node) => `${id}: ${node.html.slice(0, 160)} ${node.failureSummary ?? ""}`),
        );
      expect(serious).toEqual([]);
    }
  });

  it("leaves no error in the console, and loads nothing before it is opened", async () => {
    expect(complaints).toEqual([]);
    const asked: string[] = [];
    const other = await (await browser.newContext()).newPage();
    other.on("request", (request) => asked.push(request.url()));
    await other.goto(server.url, { waitUntil: "networkidle" });
    expect(
      asked.filter((url) =>
        /onnx|etth1-excerpt|worker|PruningPlayground/i.test(url.replace(/.*\/assets\//, "")),
      ),
    ).toEqual([]);
    await other.context().close();
  });
});
