import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isLatency, procedureOf, type ResultRecord } from "@espalier/bench";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { documentOf, figuresIn } from "../src/document.ts";
import type { Figure } from "../src/figure.ts";
import { drawFigures } from "../src/folder.ts";
import { toHtml } from "../src/html.ts";
import { summaryLines, writeReport } from "../src/index.ts";
import { toMarkdown } from "../src/markdown.ts";
import { renderPng, renderSvg } from "../src/render.ts";
import { rowsOf } from "../src/rows.ts";
import {
  denseCell,
  failureRecord,
  latencyRecord,
  pruneCell,
  pruneRecord,
  records,
  trainRecord,
} from "./records.ts";

const options = { title: "Golden <report>", sparsity: 0.5 };

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "espalier-report-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** JSON with whatever holds no other object on one line: fewer lines, and still a line a change. */
function specText(spec: unknown): string {
  const leaf = /[{[][^{}[\]]*[}\]]/g;
  return `${JSON.stringify(spec, null, 1).replace(leaf, (text) => text.replace(/\n\s*/g, " "))}\n`;
}

/** All charts of the report on these records. */
function allFigures(of: readonly ResultRecord[] = records): Figure[] {
  return figuresIn(documentOf(of, options).blocks);
}

/** A model whose error is twenty times the dense one's. */
const collapsed: readonly ResultRecord[] = (() => {
  const cell = pruneCell(denseCell(), "channel", { sparsity: 0.9 });
  const { result, ...rest } = pruneRecord(cell);
  const tuned = { mse: 2.6, mae: 1.3, rmse: 1.6 };
  return [{ ...rest, result: { ...result, tuned } }, latencyRecord(cell, "tfjs-cpu", 1, 2, 0.9)];
})();

/** Width and height as the header of a PNG states them. */
function pngSize(bytes: Uint8Array): [number, number] {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  expect([...bytes.subarray(1, 4)]).toEqual([...Buffer.from("PNG")]);
  return [view.getUint32(16), view.getUint32(20)];
}

describe("the golden report", () => {
  const figures = allFigures();

  it.each(figures.filter(({ name }) => name.includes("synthetic")))("chart $name", async ({ name, spec }) => {
    await expect(specText(spec)).toMatchFileSnapshot(`./golden/${name}.vl.json`);
  });

  it("Markdown", async () => {
    await expect(toMarkdown(documentOf(records, options))).toMatchFileSnapshot("./golden/report.md");
  });

  it("HTML", async () => {
    const stubs = new Map(
      figures.map(({ name }) => [name, `<svg xmlns="urn:stub" viewBox="0 0 1 1"></svg>`]),
    );
    await expect(toHtml(documentOf(records, options), stubs)).toMatchFileSnapshot("./golden/report.html");
  });

  it("terminal", async () => {
    await expect(`${summaryLines(records).join("\n")}\n`).toMatchFileSnapshot("./golden/summary.txt");
  });
});

describe("charts", () => {
  afterEach(() => void vi.restoreAllMocks());

  it("compile without a warning, and are drawn the same each time", async () => {
    const warnings = vi.spyOn(console, "warn");
    for (const { spec } of [...allFigures(), ...allFigures(collapsed)]) {
      expect(await renderSvg(spec)).toBe(await renderSvg(spec));
    }
    expect(warnings).not.toHaveBeenCalled();
  });

  it("become PNGs of twice the size, in which text is visible without a font of the machine", async () => {
    const { spec } = allFigures()[0]!;
    const svg = await renderSvg(spec);
    const [, width, height] = /width="(\d+)" height="(\d+)"/.exec(svg)!.map(Number);
    expect(pngSize(await renderPng(svg))).toEqual([2 * width!, 2 * height!]);
    const text = `<svg xmlns="http://www.w3.org/2000/svg" width="99" height="20"><text y="15" font-family="Inter">dense</text></svg>`;
    const blank = await renderPng(text.replace("dense", ""), 1, false);
    expect((await renderPng(text, 1, false)).length).toBeGreaterThan(blank.length);
  });

  it("become PNGs where a bar reaches far beyond the frame: resvg aborts the process on a transparent group there", async () => {
    const noisy = records.map((record) =>
      isLatency(record) && procedureOf(record.cell.pruned).use === "channel"
        ? { ...record, result: { ...record.result, speedupSpread: 2000 } }
        : record,
    );
    for (const { name, spec } of allFigures(noisy)) {
      const svg = await renderSvg(spec);
      // `stroke-opacity` and `fill-opacity` need no group of their own.
      expect(svg).not.toMatch(/ opacity="0?\.\d/);
      if (/latency|speedup/.test(name)) expect((await renderPng(svg)).length).toBeGreaterThan(0);
    }
  });

  it("have a logarithmic axis for errors where a model collapses", () => {
    const scales = allFigures(collapsed)
      .filter(({ name }) => /error-(sparsity|latency)$/.test(name))
      .map(({ spec }) => JSON.stringify(spec).match(/"type":"log"/g)?.length);
    // MSE and MAE in the one, the only panel in the other.
    expect(scales).toEqual([2, 1]);
    // Sizes at a glance always have one.
    const usual = allFigures().filter(({ name }) => !name.endsWith("at-a-glance"));
    expect(usual.filter(({ spec }) => JSON.stringify(spec).includes('"type":"log"'))).toEqual([]);
  });

  it("place marks at the sparsity that was reached, and draw unreached targets hollow", () => {
    const { spec } = allFigures().find(({ name }) => name.endsWith("synthetic-error-sparsity"))!;
    const text = JSON.stringify(spec);
    expect(text).toContain('"x":0.33');
    const layers = marksOf(spec);
    const filled = layers.filter(({ mark }) => mark.type === "point" && mark.filled);
    const hollow = layers.filter(({ mark }) => mark.type === "point" && mark.filled === false);
    const strategies = (of: typeof layers) =>
      new Set(of.flatMap(({ data }) => data.values.flatMap(({ strategy }) => strategy ?? [])));
    expect(strategies(filled)).toEqual(new Set(["unstructured", "channel"]));
    expect(strategies(hollow)).toEqual(new Set(["head"]));
  });

  it("give a strategy one colour, in every chart and section", () => {
    const colors = new Map<string, Set<string>>();
    for (const { spec } of allFigures()) {
      for (const { encoding } of marksOf(spec)) {
        const scale = encoding?.color?.scale;
        if (scale === undefined || scale === null) continue;
        scale.domain.forEach((strategy, i) => {
          colors.set(strategy, (colors.get(strategy) ?? new Set()).add(scale.range[i]!));
        });
      }
    }
    expect([...colors.values()].every((set) => set.size === 1)).toBe(true);
    expect(new Set([...colors.values()].flatMap((set) => [...set])).size).toBe(colors.size);
  });

  it("use at most eight colours, and tell a ninth strategy by its shape", () => {
    const dense = denseCell();
    const many = Array.from({ length: 10 }, (_, i) =>
      pruneRecord(pruneCell(dense, `s${i}`, { sparsity: 0.5 })),
    );
    const { spec } = allFigures(many).find(({ name }) => name.endsWith("error-sparsity"))!;
    const points = marksOf(spec).find(({ encoding }) => encoding?.shape?.scale)!.encoding!;
    expect(new Set(points.color!.scale!.range).size).toBe(8);
    const looks = points.color!.scale!.range.map((c, i) => `${c} ${points.shape!.scale!.range[i]}`);
    expect(new Set(looks).size).toBe(10);
  });

  it("tell ways of fine-tuning apart by dashes", () => {
    const dense = denseCell();
    const both = [0.3, 0.6].flatMap((sparsity) =>
      [1, 4].map((epochs) => pruneRecord(pruneCell(dense, "channel", { sparsity }, { epochs }))),
    );
    const { spec } = allFigures(both).find(({ name }) => name.endsWith("error-sparsity"))!;
    const dashed = marksOf(spec).find(({ encoding }) => encoding?.strokeDash !== undefined)!;
    expect(dashed.encoding!.strokeDash!.scale!.domain).toEqual(["1 epoch", "4 epochs"]);
    expect(JSON.stringify(spec)).toContain("fine-tuning: 4 epochs");
  });

  it("leave out errors that are not finite, which the tables name", () => {
    const broken = pruneRecord(pruneCell(denseCell(), "channel", { sparsity: 0.9 }));
    const overflowed = JSON.parse(
      JSON.stringify({
        ...broken,
        result: { ...broken.result, tuned: { mse: Number.NaN, mae: Number.NaN } },
      }),
    ) as ResultRecord;
    const fine = pruneRecord(pruneCell(denseCell(), "channel", { sparsity: 0.5 }));
    const { spec } = allFigures([fine, overflowed]).find(({ name }) => name.endsWith("error-sparsity"))!;
    const marks = marksOf(spec).filter(({ mark }) => mark.type === "point" && mark.filled);
    expect(marks.flatMap(({ data }) => data.values.flatMap(({ x }) => (x === 0.9 ? [x] : [])))).toEqual([]);
    expect(toMarkdown(documentOf([fine, overflowed], options))).toContain("not finite");
  });
});

describe("rows", () => {
  it("put seeds together as mean and standard deviation", () => {
    const [section] = rowsOf(records).sections;
    expect(section!.dense.seeds).toEqual([0, 1]);
    expect(section!.dense.errors.mse.mean).toBeCloseTo(0.131, 10);
    expect(section!.dense.errors.mse.spread).toBeCloseTo(Math.SQRT2 * 0.001, 10);
    expect(section!.runs).toHaveLength(6);
  });

  it("take the last result of a cell, and a failure only where there is none", () => {
    const cell = pruneCell(denseCell(), "channel", { sparsity: 0.5 });
    const failure = failureRecord(cell, "out of memory");
    expect(rowsOf([failure, pruneRecord(cell)]).failures).toEqual([]);
    expect(rowsOf([pruneRecord(cell), failure]).failures).toEqual([]);
    const [run] = rowsOf([pruneRecord(cell), pruneRecord(cell, { sparsity: 0.51 })]).sections[0]!.runs;
    expect(run!.sparsity).toBe(0.51);
    expect(rowsOf([failure]).failures).toEqual([
      {
        what: "pruning channel at sparsity ≥ 50 % of iTransformer on synthetic, seed 0",
        error: "out of memory",
      },
    ]);
  });

  it("tell strategies and models of one name apart by their options, or by their labels", () => {
    const dense = denseCell();
    const cell = (strategy: { use: string; [option: string]: unknown }) =>
      pruneRecord({ ...pruneCell(dense, "x", { sparsity: 0.5 }), strategy });
    const { strategies, sections } = rowsOf([
      trainRecord(dense),
      trainRecord({ ...dense, model: { ...dense.model, width: 32 } }),
      cell({ use: "unstructured", scope: "local" }),
      cell({ use: "unstructured", scope: "global" }),
      cell({ use: "channel", roundTo: 8, label: "channel by 8" }),
    ]);
    expect(strategies).toEqual(["unstructured (scope local)", "unstructured (scope global)", "channel by 8"]);
    expect(sections.map(({ title }) => title)).toEqual([
      "iTransformer (width 64) on synthetic",
      "iTransformer (width 32) on synthetic",
    ]);
  });

  it("let recipes of two models share a label", () => {
    const wide = denseCell();
    const narrow = { ...wide, model: { ...wide.model, width: 32 } };
    const records = [wide, narrow].flatMap((dense, i) => {
      const record = pruneRecord(pruneCell(dense, "x", { sparsity: 0.5 }));
      const step = { do: "prune", strategy: { use: "channel" }, target: { flops: 0.5 - i / 10 } } as const;
      const recipe = { label: "half gone", steps: [step] } as const;
      const cell = { kind: "prune", dense, recipe, target: step.target } as const;
      return [trainRecord(dense), { ...record, cell } as never];
    });
    const { strategies, sections } = rowsOf(records);
    expect(strategies).toEqual(["half gone"]);
    expect(sections.map(({ runs }) => runs.map(({ strategy }) => strategy))).toEqual([
      ["half gone"],
      ["half gone"],
    ]);
  });

  it("are one strategy where recipes of a name only differ in the target at their end", () => {
    const dense = denseCell();
    const at = (sparsity: number, distill: number) => {
      const masks = { strategy: { use: "unstructured" }, target: { sparsity } };
      const recipe = { label: "masks", steps: [{ do: "tune", fit: { epochs: 1 }, distill, masks }] };
      const cell = { kind: "prune", dense, recipe, target: { sparsity } };
      return { ...pruneRecord(pruneCell(dense, "x", { sparsity })), cell } as never;
    };
    expect(rowsOf([trainRecord(dense), at(0.5, 0.5), at(0.8, 0.5)]).strategies).toEqual(["masks"]);
    expect(rowsOf([trainRecord(dense), at(0.5, 0.5), at(0.8, 0.2)]).strategies).toEqual([
      "masks (steps do tune, fit epochs 1, distill 0.5, masks strategy unstructured)",
      "masks (steps do tune, fit epochs 1, distill 0.2, masks strategy unstructured)",
    ]);
  });

  it("do not time what could not be pruned", () => {
    const cell = pruneCell(denseCell(), "head", { sparsity: 0.5 });
    const { sections } = rowsOf([
      pruneRecord(cell, { sparsity: 0, why: "no heads", notes: ["no heads"] }),
      latencyRecord(cell, "tfjs-cpu", 1, 1, 0),
    ]);
    expect(sections[0]!.timings).toEqual([]);
  });
});

it("shows charts from the page's left edge on, no smaller than can be read, and scrolled instead", async () => {
  const document = documentOf(
    [trainRecord(denseCell()), pruneRecord(pruneCell(denseCell(), "channel", { sparsity: 0.5 }))],
    {
      title: "Pruning report",
      sparsity: 0.5,
    },
  );
  const { svgs } = await drawFigures(document);
  const html = toHtml(document, svgs);
  for (const figure of figuresIn(document.blocks)) {
    const [, width, height] = / width="(\d+)" height="(\d+)"/.exec(svgs.get(figure.name)!)!;
    const shown = Number(width) - 16;
    expect(html).toContain(
      `width="${shown}" height="${height}" style="min-width:${Math.round(0.8 * shown)}px" viewBox="16 0 ${shown} ${height}">`,
    );
  }
  // The page's shadow shows through where a chart goes on.
  expect(html).not.toMatch(/viewBox="[^"]*"><rect[^>]*fill="#ffffff"\/>/);
});

describe("writeReport", () => {
  it("writes a page that needs nothing else, Markdown, and every chart as SVG and PNG", async () => {
    const out = join(await temporaryFolder(), "deep", "report");
    const { html, markdown, charts } = await writeReport(records, { out });
    const page = await readFile(html, "utf8");
    expect(page.match(/<svg role="img" aria-label=/g)).toHaveLength(13);
    expect(page).not.toMatch(/(src|href)="(?!#)/);
    expect(page.replaceAll(/xmlns(:\w+)?="[^"]*"/g, "")).not.toMatch(/https?:/);
    const ids = [...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const files = await readdir(join(out, "charts"));
    expect(charts.map((path) => path.slice(join(out, "charts").length + 1)).sort()).toEqual(files.sort());
    const text = await readFile(markdown, "utf8");
    const linked = [...text.matchAll(/\(charts\/([^)]+)\)/g)].map(([, file]) => file!);
    expect(linked.sort()).toEqual(files.sort());
    for (const file of files.filter((name) => name.endsWith(".png"))) {
      const [width, height] = pngSize(await readFile(join(out, "charts", file)));
      expect(width).toBeGreaterThan(800);
      expect(height).toBeGreaterThan(300);
    }
  });

  it("replaces a report only by force, and never a folder that holds anything else", async () => {
    const folder = await temporaryFolder();
    const out = join(folder, "report");
    const few = [trainRecord(denseCell())];
    await writeReport(few, { out });
    await expect(writeReport(few, { out })).rejects.toThrow(
      `${out} holds a report. Give --force to replace it, or choose another folder.`,
    );
    await writeReport(few, { out, title: "second", force: true });
    expect(await readFile(join(out, "report.md"), "utf8")).toContain("# second");
    await writeFile(join(out, "notes.txt"), "mine");
    await expect(writeReport(few, { out, force: true })).rejects.toThrow(
      "holds something other than a report (notes.txt)",
    );
    expect(await readFile(join(out, "notes.txt"), "utf8")).toBe("mine");
    expect(await readdir(folder)).toEqual(["report"]);
    const file = join(folder, "file");
    await writeFile(file, "");
    await expect(writeReport(few, { out: file })).rejects.toThrow("is a file");
    await mkdir(join(folder, "empty"));
    await writeReport(few, { out: join(folder, "empty") });
  });

  it("leaves what was there where it is stopped", async () => {
    const folder = await temporaryFolder();
    const out = join(folder, "report");
    await writeReport([trainRecord(denseCell())], { out, title: "first" });
    const stopped = AbortSignal.abort();
    await expect(writeReport(records, { out, force: true, signal: stopped })).rejects.toThrow();
    expect(await readFile(join(out, "report.md"), "utf8")).toContain("# first");
    expect(await readdir(folder)).toEqual(["report"]);
  });

  it("has something to say about no results at all", async () => {
    const { html } = await writeReport([], { out: join(await temporaryFolder(), "report") });
    expect(await readFile(html, "utf8")).toContain("There are no results.");
    expect(summaryLines([])).toEqual(["There are no results."]);
  });
});

interface Mark {
  readonly mark: { readonly type: string; readonly filled?: boolean };
  readonly data: { readonly values: readonly { readonly strategy?: string; readonly x?: number }[] };
  readonly encoding?: Readonly<
    Record<
      string,
      { readonly scale?: { readonly domain: readonly string[]; readonly range: readonly string[] } | null }
    >
  >;
}

/** All layers with marks of a chart. */
function marksOf(spec: unknown): Mark[] {
  if (Array.isArray(spec)) return spec.flatMap(marksOf);
  if (typeof spec !== "object" || spec === null) return [];
  const { mark, ...rest } = spec as Record<string, unknown>;
  if (typeof mark === "object" && mark !== null && "data" in rest) return [spec as Mark];
  return ["layer", "hconcat", "vconcat"].flatMap((key) => marksOf(rest[key]));
}
