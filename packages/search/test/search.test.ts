import { digest } from "@espalier/core";
import { run } from "@espalier/recipe";
import { describe, expect, it } from "vitest";
import {
  findingsOf,
  memoryStore,
  parseRecords,
  type SearchEvent,
  type SearchRecord,
  type SearchRequest,
  type SearchStore,
  search,
} from "../src/index.ts";
import { data, request, space, workbench } from "./small.ts";

/** Records without what depends on the clock. */
const timeless = (records: readonly SearchRecord[]) =>
  records.map((record) => ("seconds" in record ? { ...record, seconds: 0 } : record));

describe("a search", () => {
  const store = memoryStore();
  const events: SearchEvent[] = [];
  const tested: string[] = [];
  const whole = search({
    ...request,
    store,
    onEvent: (event) => void events.push(event),
    test: async (model) => {
      tested.push(digest(model));
      return data.test;
    },
    rivals: (target) => [
      {
        label: "half",
        recipe: { format: 2, steps: [{ do: "prune", strategy: { use: "unstructured" }, target }] },
      },
      { label: "none", recipe: { format: 2, steps: [{ do: "prune", strategy: { use: "head" }, target }] } },
    ],
  });

  it("finds the smallest model within the error, on the mean of three seeds", async () => {
    const { ended, chosen, allowed, header, candidates, trials } = await whole;
    expect(ended).toBe("finished");
    expect(allowed).toBeCloseTo(1.1 * header.dense.validation.mse, 10);
    expect(chosen!.trials.map(({ seed }) => seed)).toEqual([5, 6, 7]);
    expect(chosen!.mean.validation.mse).toBeLessThanOrEqual(allowed!);
    expect(chosen!.mean.bytes).toBeLessThan(0.8);
    expect(candidates[0]!.from).toBe("by hand");
    // No candidate that reaches the goal after a full fine-tuning is smaller, except those that were replaced.
    const { replaced } = await whole;
    const smaller = trials.filter(
      ({ of, rung, seed, result }) =>
        typeof of === "number" &&
        rung === 2 &&
        seed === 5 &&
        !replaced!.includes(of) &&
        result!.validation.mse <= allowed! &&
        result!.bytes < chosen!.trials[0]!.result.bytes,
    );
    expect(smaller).toEqual([]);
  });

  it("compares with the unpruned model trained on, on the mean of as many seeds", async () => {
    const goal = { minimize: "bytes", error: "+20%", reference: "tuned" } as const;
    const { trials, allowed } = await search({
      ...request,
      store: memoryStore(),
      goal,
      settings: { ...request.settings, repeats: 2 },
      evaluations: 1,
    });
    const references = trials.filter(({ of }) => of === "dense");
    expect(references.map(({ seed }) => seed)).toEqual([5, 6]);
    const [one, other] = references.map(({ result }) => result!.validation.mse) as [number, number];
    expect(one).not.toBe(other);
    expect(allowed).toBeCloseTo((1.2 * (one + other)) / 2, 10);
  });

  it("can be read from its records alone", async () => {
    const { ended: _, chosen, ...findings } = await whole;
    const { model: __, ...choice } = chosen!;
    expect(
      findingsOf(parseRecords(store.records.map((r) => `${JSON.stringify(r)}\n`).join(""), "").records),
    ).toEqual(JSON.parse(JSON.stringify({ ...findings, chosen: choice })));
  });

  it("gives the recipe that makes the same model", async () => {
    const { chosen } = await whole;
    const again = await run({ recipe: chosen!.recipe, model: request.model, workbench });
    expect(digest(again.model)).toBe(digest(chosen!.model));
    expect(again.model.history).toEqual(chosen!.model.history);
  });

  it("promotes the better candidates to longer fine-tunings", async () => {
    const { trials } = await whole;
    const on = (rung: number) =>
      trials.filter((t) => typeof t.of === "number" && t.rung === rung && t.seed === 5);
    expect([0, 1, 2].map((rung) => on(rung)[0]!.epochs)).toEqual([1, 2, 4]);
    expect(on(0).length).toBeGreaterThan(on(1).length);
    expect(on(1).length).toBeGreaterThanOrEqual(on(2).length);
    expect(on(0).length + on(1).length + on(2).length).toBeGreaterThanOrEqual(18);
  });

  it("filters proposals of one size by their one-shot error", async () => {
    const { candidates } = await whole;
    for (const { from, point, oneShot, others } of candidates.slice(1)) {
      expect(["random", "model", "limit"]).toContain(from);
      for (const other of others) {
        expect(other.point.size).toBe(point.size);
        if (other.oneShot !== undefined) expect(other.oneShot).toBeGreaterThanOrEqual(oneShot!);
      }
    }
    expect(candidates.some(({ from }) => from === "model")).toBe(true);
  });

  it("tests once, at the end: the dense model, the chosen one's seeds, the front, the fixed recipes", async () => {
    const { tests, chosen, front, rivals } = await whole;
    expect(new Set(tests.map(({ model }) => model)).size).toBe(tests.length);
    expect(tests.length).toBe(tested.length);
    expect(tests[0]!.model).toBe("dense");
    expect(rivals!.map(({ of, error }) => [of, error === undefined])).toEqual([
      [`half at ${Number(chosen!.mean.bytes.toPrecision(4))} bytes`, true],
      [`none at ${Number(chosen!.mean.bytes.toPrecision(4))} bytes`, false],
    ]);
    const sizes = front!.map(({ result }) => result.bytes);
    expect(sizes).toEqual(sizes.toSorted((a, b) => a - b));
    const first = events.findIndex((event) => event.kind === "record" && event.record.kind === "test");
    expect(events.slice(first).every((e) => e.kind === "record" && e.record.kind === "test")).toBe(true);
  });

  it("tells what it does as plain data", async () => {
    await whole;
    expect(structuredClone(events.slice(0, 50))).toEqual(events.slice(0, 50));
  });

  it("does nothing again when it is repeated, and goes on with a larger budget", async () => {
    await whole;
    const again = memoryStore(store.records);
    const same = await search({ ...request, store: again });
    expect(again.records.length).toBe(store.records.length);
    expect(same.chosen!.candidate).toBe((await whole).chosen!.candidate);
    await search({ ...request, store: again, evaluations: 23 });
    expect(timeless(again.records.slice(0, store.records.length))).toEqual(timeless(store.records));
    expect(again.records.length).toBeGreaterThan(store.records.length);
  });

  it("proposes and chooses the same if it is stopped at random five times, and continued", async () => {
    await whole;
    const stopped = memoryStore();
    // Anywhere: in the midst of an epoch, of a proposal, between two records.
    const after = [3, 40, 95, 61, 130];
    for (const events of after) {
      const controller = new AbortController();
      let left = events;
      const result = await search({
        ...request,
        store: withUnfinished(stopped),
        signal: controller.signal,
        onEvent: () => void (--left === 0 && controller.abort()),
      });
      expect(result.ended).toBe("aborted");
      expect(result.chosen).toBeUndefined();
    }
    const result = await search({ ...request, store: withUnfinished(stopped) });
    const undisturbed = await search({ ...request, store: memoryStore() });
    expect(timeless(stopped.records)).toEqual(timeless(store.records.slice(0, stopped.records.length)));
    expect(result.chosen!.candidate).toBe(undisturbed.chosen!.candidate);
    expect(digest(result.chosen!.model)).toBe(digest(undisturbed.chosen!.model));
  });
});

const checkpoints = new WeakMap<SearchStore, Parameters<NonNullable<SearchStore["unfinished"]>["save"]>[0]>();

/** With a place for the trial in progress, as in a folder. */
function withUnfinished(store: SearchStore): SearchStore {
  return {
    ...store,
    unfinished: {
      save: async (checkpoint) => void checkpoints.set(store, checkpoint),
      load: async () => checkpoints.get(store),
      clear: async () => void checkpoints.delete(store),
    },
  };
}

describe("a search for the best model of a size", () => {
  it("limits the size of every candidate, and compares errors", async () => {
    const fixed: SearchRequest = {
      ...request,
      goal: { minimize: "error", bytes: 0.5 },
      space: {
        ...space,
        parameters: space.parameters.filter(({ name }) => name !== "size"),
        seeds: [],
        recipe: (point, epochs) => space.recipe({ ...point, size: 0.5 }, epochs),
      },
    };
    const { chosen, trials, allowed } = await search(fixed);
    expect(allowed).toBeUndefined();
    const full = trials.filter((t) => t.rung === 2 && t.seed === 5 && t.result!.bytes <= 0.5);
    expect(Math.min(...full.map(({ result }) => result!.validation.mse))).toBe(
      chosen!.trials[0]!.result.validation.mse,
    );
    expect(chosen!.mean.bytes).toBeLessThanOrEqual(0.5);
  });

  it("measures time if the goal needs it, and chooses by it", async () => {
    let measured = 0;
    const { chosen, trials } = await search({
      ...request,
      goal: { minimize: "latency", error: "+50%", timing: { batch: 2 } },
      evaluations: 4,
      workbench: {
        ...workbench,
        latency: async (_, settings) => ({
          on: `batch ${settings.batch}`,
          measure: async (one) => ({ share: one.tensors.size / 100 + ++measured / 1e6, spread: 0.01 }),
        }),
      },
    });
    expect(measured).toBe(trials.length + 1);
    expect(chosen!.mean.latency!.spread).toBe(0.01);
  });
});

describe("a search that cannot succeed", () => {
  it("names the nearest model and what stops it", async () => {
    const { chosen, unmet } = await search({
      ...request,
      goal: { minimize: "bytes", error: 1e-6 },
      evaluations: 5,
    });
    expect(chosen).toBeUndefined();
    expect(unmet!.nearest).toBeDefined();
    expect(unmet!.why).toMatch(
      /^error ≤ 0.000001 was met by none of \d candidates; the nearest is candidate \d with [\d.]+ % of the bytes, tuned for 4 epochs: it has a validation error of [\d.]+, 0.000001 is allowed$/,
    );
  });

  it("says why no recipe can be carried out", async () => {
    const { unmet } = await search({
      ...request,
      goal: { minimize: "error", bytes: 0.001 },
      space: {
        ...space,
        seeds: [],
        recipe: (point, epochs) => space.recipe({ ...point, strategy: "unstructured", size: 0.001 }, epochs),
      },
      evaluations: 2,
    });
    expect(unmet!.why).toMatch(
      /^bytes ≤ 0.1 % cannot be met by any recipe that was tried: target bytes ≤ 0.1 % cannot be met by/,
    );
  });

  it.each<[string, Partial<SearchRequest>, RegExp]>([
    ["no budget", { evaluations: undefined as never }, /give a budget/],
    [
      "a limit to what is minimized",
      { goal: { minimize: "bytes", bytes: 0.1 } },
      /bytes is what is minimized/,
    ],
    ["no limit to the error", { goal: { minimize: "flops" } }, /give error, such as \+1%/],
    ["no limit to the size", { goal: { minimize: "error" } }, /limit bytes, flops or latency/],
    [
      "a reference without a relative error",
      { goal: { minimize: "bytes", error: 0.4, reference: "tuned" } },
      /reference only applies to a relative error/,
    ],
    [
      "how to measure what is not measured",
      { goal: { minimize: "bytes", error: "+1%", timing: { batch: 32 } } },
      /timing only applies if latency/,
    ],
    ["an error that is none", { goal: { minimize: "bytes", error: "1%" } }, /expected a mean squared error/],
    [
      "an unknown strategy",
      { strategies: ["heads"] },
      /strategy "heads" is not known. Did you mean "head"\?/,
    ],
    [
      "data too short to validate on",
      {
        workbench: {
          ...workbench,
          data: async () => ({ ...data, validation: { ...data.validation, count: 12 } }),
        },
      },
      /12 windows to validate on are too few to choose by; at least 30 are needed/,
    ],
    [
      "latency where nothing measures",
      { goal: { minimize: "latency", error: "+1%" } },
      /cannot be measured here/,
    ],
  ])("refuses %s", async (_, change, message) => {
    await expect(search({ ...request, ...change })).rejects.toThrow(message);
  });

  it("does not continue another search", async () => {
    const store = memoryStore();
    await search({
      ...request,
      store,
      evaluations: 1,
      settings: { ...request.settings, repeats: 1, epochs: 1 },
    });
    await expect(search({ ...request, store })).rejects.toThrow(
      /the search that is kept there has another goal/,
    );
  });
});

describe("a space that is exhausted", () => {
  it("ends the search before its budget does", async () => {
    const { candidates } = await search({
      ...request,
      space: {
        ...space,
        parameters: [
          { name: "size", options: [0.5, 0.6] },
          { name: "strategy", options: ["channel"] },
        ],
        seeds: [],
        recipe: (point, epochs) => space.recipe({ ...point, learningRate: 0.01 }, epochs),
      },
      settings: { ...request.settings, proposals: 1, repeats: 1 },
      evaluations: 100,
    });
    expect(candidates.length).toBe(2);
  });
});
