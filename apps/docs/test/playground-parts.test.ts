import { EspalierError } from "@espalier/core";
import { formatCsv, synthetic } from "@espalier/datasets";
import { readOnnx, writeOnnx } from "@espalier/formats";
import { dLinear, iTransformer } from "@espalier/models";
import { describe, expect, it } from "vitest";
import { pathOf, ticksOf } from "../playground/parts/axes.ts";
import { commandOf, specOf } from "../playground/recipe.ts";
import { blocksOf } from "../playground/state/blocks.ts";
import { targetOf } from "../playground/state/choices.ts";
import { bytes, change, duration, short, value } from "../playground/state/numbers.ts";
import type { Picture } from "../playground/worker/pictures.ts";
import { frameFor, readSeries } from "../playground/worker/series.ts";
import { Session } from "../playground/worker/session.ts";

const text = (content: string) => new TextEncoder().encode(content);

describe("a series of the visitor's", () => {
  it.each([
    ["commas", "a,b\n1.5,2\n3,4\n"],
    ["semicolons and decimal commas", "a;b\n1,5;2\n3;4\n"],
    ["tabs", "a\tb\n1.5\t2\n3\t4\n"],
  ])("is read with %s", (_, content) => {
    expect([...readSeries("own.csv", text(content)).table.values]).toEqual([1.5, 2, 3, 4]);
  });

  it("has its gaps filled, and says so", () => {
    const { table, note } = readSeries("own.csv", text("a,b\n1,2\n,4\n"));
    expect([...table.values]).toEqual([1, 2, 1, 4]);
    expect(note).toBe("One missing value takes the one before it.");
  });

  const model = iTransformer({
    inputLength: 24,
    horizon: 8,
    series: 2,
    width: 16,
    heads: 2,
    layers: 1,
  }).initialize(1);
  const table = (rows: number, series = 2) =>
    readSeries("own.csv", text(formatCsv(synthetic({ rows, series }))));

  it("is trained and validated on in its first half and forecast in its second", () => {
    const { data, shown } = frameFor(model, table(100));
    expect(data.splits).toEqual({ rows: [38, 12, 50] });
    expect(data.train.range).toEqual({ start: 0, end: 38 });
    expect(data.validation.range).toEqual({ start: 38 - 24, end: 50 });
    expect(shown.range).toEqual({ start: 50 - 24, end: 100 });
    expect(shown.count).toBe(100 - 50 - 8 + 1);
  });

  it("may be as short as one window", () => {
    const { shown } = frameFor(model, table(32));
    expect([shown.count, shown.rowOf(0)]).toEqual([1, 0]);
    expect(() => frameFor(model, table(31))).toThrow("own.csv has 31 rows; the model looks back on 24");
    expect(() => frameFor(model, table(100, 3))).toThrow("own.csv has 3 series, the model forecasts 2");
  });

  it("needs dates for a model that reads them", () => {
    const dated = iTransformer({
      inputLength: 24,
      horizon: 8,
      series: 2,
      marks: 4,
      width: 16,
      heads: 2,
    }).initialize(1);
    const { timestamps: _, step: __, ...dateless } = table(100).table;
    expect(frameFor(dated, table(100)).shown.marks).toBe(4);
    expect(() => frameFor(dated, { ...table(100), table: dateless })).toThrow(
      "own.csv has no dates, and the model reads them",
    );
  });
});

describe("a session", () => {
  const work = { signal: new AbortController().signal, onProgress: () => {} };
  const start = () => new Session(() => Promise.reject(new EspalierError("there is no network")));
  const small = dLinear({ inputLength: 24, horizon: 8, series: 2 }).initialize(1);

  it("says what stands between a model and a series, and prunes it all the same", async () => {
    const session = start();
    const onnx = new Blob([writeOnnx(small) as Uint8Array<ArrayBuffer>]);
    await session.read(
      { file: "three.csv", content: new Blob([formatCsv(synthetic({ rows: 200, series: 3 }))]) },
      work,
    );
    const opened = await session.open({ file: "linear.onnx", content: onnx }, work);
    expect(opened).toMatchObject({
      name: "DLinear",
      misfit: expect.stringMatching(/^three\.csv has 3 series/),
    });
    const choice = { strategy: "unstructured", criterion: "l1", target: { sparsity: 0.5 } } as const;
    const pruned = await session.prune(choice, work);
    expect(pruned.counts.sparsity).toBeCloseTo(0.5, 2);
    expect(pruned.errors).toBeUndefined();
    await expect(session.prune({ ...choice, criterion: "taylor" }, work)).rejects.toThrow(
      'criterion "taylor" looks at data: three.csv has 3 series',
    );
    expect((await session.measure({ backend: "wasm", batch: 2 }, work)).calls).toBeGreaterThan(20);
  });

  it("fine-tunes what it pruned, in less error, tells how it goes, and stops when it is told to", async () => {
    const session = start();
    const content = new Blob([formatCsv(synthetic({ rows: 400, series: 2 }))]);
    await session.read({ file: "two.csv", content }, work);
    const model = iTransformer({ inputLength: 24, horizon: 8, series: 2, width: 16, heads: 2, layers: 1 });
    const onnx = new Blob([writeOnnx(model.initialize(1)) as Uint8Array<ArrayBuffer>]);
    await session.open({ file: "small.onnx", content: onnx }, work);
    const choice = { strategy: "combined", criterion: "l2", target: { sparsity: 0.5 } } as const;
    const pruned = await session.prune(choice, work);
    const seen: number[] = [];
    const tuned = await session.tune(choice, {
      ...work,
      onProgress: ({ curve }) => void (curve && seen.push(curve.errors.length - 1)),
    });
    const { errors, best, epochs } = tuned.curve;
    expect(errors.length).toBe(1 + epochs);
    expect(errors[best]).toBe(Math.min(...errors.slice(1)));
    expect(errors[best]).toBeLessThan(errors[0]!);
    expect(Math.max(...seen)).toBeGreaterThan(epochs / 2);
    expect(tuned.errors!.pruned.mse).toBeLessThan(pruned.errors!.pruned.mse);
    expect(tuned.counts.sparsity).toBeCloseTo(0.5, 1);
    expect(tuned.recipe).toContain("dataset: two.csv");

    const controller = new AbortController();
    const stopped = session.tune(choice, {
      signal: controller.signal,
      onProgress: ({ curve }) => void (curve?.errors.length === 2 && controller.abort()),
    });
    await expect(stopped).rejects.toThrow();
    expect((await session.save("safetensors", work)).name).toContain("tuned");
  });

  it("keeps its model where another cannot be opened, or is no longer wanted", async () => {
    const session = start();
    await session.open(
      { file: "linear.onnx", content: new Blob([writeOnnx(small) as Uint8Array<ArrayBuffer>]) },
      work,
    );
    await expect(session.open({ shipped: "x", origin: { url: "http://x" } }, work)).rejects.toThrow(
      "no network",
    );
    const aborted = { ...work, signal: AbortSignal.abort() };
    const seed = { seed: 1, options: { width: 16, heads: 2 } };
    await expect(session.open({ shipped: "x", origin: seed }, aborted)).rejects.toThrow();
    expect((await session.save("dense", work)).name).toBe("linear.safetensors");
  });

  it("stops planning where it is told to", async () => {
    const session = start();
    await session.open({ shipped: "x", origin: { seed: 1, options: { width: 16, heads: 2 } } }, work);
    const controller = new AbortController();
    const onProgress = () => controller.abort();
    const choice = { strategy: "combined", target: { sparsity: 0.5 } } as const;
    await expect(session.prune(choice, { signal: controller.signal, onProgress })).rejects.toThrow();
    await expect(session.save("safetensors", work)).rejects.toThrow("nothing is pruned yet");
  });

  it("refuses files that a page has no room for without reading them", async () => {
    const huge = { size: 2 ** 30, arrayBuffer: () => Promise.reject(new Error("read")) } as unknown as Blob;
    await expect(start().open({ file: "huge.onnx", content: huge }, work)).rejects.toThrow(
      "huge.onnx has 1024 MiB; this page opens up to 512",
    );
    await expect(start().read({ file: "huge.csv", content: huge }, work)).rejects.toThrow(
      "huge.csv has 1024 MiB",
    );
  });

  it("writes an ONNX file with its masks", async () => {
    const session = start();
    await session.open(
      { file: "linear.onnx", content: new Blob([writeOnnx(small) as Uint8Array<ArrayBuffer>]) },
      work,
    );
    await session.prune({ strategy: "unstructured", target: { sparsity: 0.5 } }, work);
    const { name, bytes: file } = await session.save("onnx", work);
    expect(name).toBe("linear-unstructured-50.onnx");
    expect(readOnnx(file).masks.size).toBeGreaterThan(0);
  });
});

describe("the command line of a choice", () => {
  const files = { model: "m.safetensors", out: "small.safetensors" };

  it("names what a recipe would", () => {
    const choice = {
      strategy: "combined",
      criterion: "l2",
      structure: "4x1",
      target: { bytes: 0.4 },
    } as const;
    expect(specOf(choice)).toEqual({
      use: "combined",
      stages: [
        { use: "head", criterion: "l2" },
        { use: "channel", criterion: "l2" },
        { use: "unstructured", criterion: "l2", structure: "4x1" },
      ],
      weights: [1, 1, 4],
    });
    expect(commandOf(choice, files).join(" ")).toBe(
      "prune m.safetensors --strategy head --strategy channel --strategy unstructured --criterion l2 --set structure=4x1 --set combined.weights=[1,1,4] --bytes 0.4 --accept-nearest --out small.safetensors",
    );
  });

  it("takes the share that is left without rounding noise", () => {
    expect(targetOf("flops", 0.7)).toEqual({ flops: 0.3 });
    expect(targetOf("sparsity", 0.7)).toEqual({ sparsity: 0.7 });
  });
});

describe("what is drawn", () => {
  it("has round ticks inside its range", () => {
    expect(ticksOf(-0.3, 10.9, 4)).toEqual([0, 2, 4, 6, 8, 10]);
    expect(ticksOf(0.11, 0.52, 4)).toEqual([0.2, 0.3, 0.4, 0.5]);
    expect(ticksOf(3, 3)).toContain(3);
    expect(
      pathOf(
        [1, 2],
        (i) => i,
        (v) => v,
      ),
    ).toBe("M0.0 1.0L1.0 2.0");
  });

  it("groups weights by the layer their names number, under names that tell them apart", () => {
    const named = [
      "in.weight",
      "layers.0.a.w.weight",
      "layers.0.b.w.weight",
      "layers.0.w",
      "layers.0.w.weight",
      "list.0",
    ];
    const blocks = blocksOf(
      named.map((tensor) => ({ tensor }) as Picture),
      [{ name: "layers.0.a", density: [1] }],
    );
    expect(
      blocks.map(({ name, heads, pictures }) => [name, heads.length, pictures.map((p) => p.name)]),
    ).toEqual([
      ["", 0, ["in", "0"]],
      ["layers.0", 1, ["a.w", "b.w", "w", "w"]],
    ]);
  });

  it("says numbers as people do", () => {
    expect([short(1_260_000), bytes(999), bytes(379_700), bytes(1_234_567)]).toEqual([
      "1.26 M",
      "999 B",
      "380 kB",
      "1.23 MB",
    ]);
    expect([change(100, 41), change(2, 3), change(5, 5)]).toEqual(["−59.0 %", "+50.0 %", "±0 %"]);
    expect([duration(0.0625), duration(12.34), duration(2345)]).toEqual(["62.5 µs", "12.3 ms", "2.35 s"]);
    expect([value(0.1234), value(9.876), value(123.45), value(12345.6)]).toEqual([
      "0.123",
      "9.88",
      "123.5",
      "12,346",
    ]);
  });
});
