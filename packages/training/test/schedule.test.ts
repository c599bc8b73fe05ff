import { account, digest, sparsity } from "@espalier/core";
import { head } from "@espalier/strategy-head";
import { unstructured } from "@espalier/strategy-unstructured";
import { describe, expect, it } from "vitest";
import { iterativeTargets, type PruneAndTuneRequest, pruneAndTune } from "../src/index.ts";
import { common, patched, settings } from "./small.ts";

const request = (change: Partial<PruneAndTuneRequest>): PruneAndTuneRequest => ({
  ...common,
  model: patched,
  settings: { ...settings, epochs: 1 },
  stages: iterativeTargets({ sparsity: 0.8 }, 2).map((target) => ({ strategy: unstructured(), target })),
  ...change,
});
const did = (model: { readonly history: readonly unknown[] }) =>
  model.history.map((entry) => (entry as { did: string }).did);

describe("pruning in stages", () => {
  it("prunes deeper at every stage, tuning after each, and counts from the dense model", async () => {
    const { model, stages } = await pruneAndTune(request({ tune: "each" }));
    expect(stages.map(({ plan }) => plan.target!.asked)).toEqual([1 - Math.sqrt(0.2), 0.8]);
    for (const { plan, pruned, tuned } of stages) {
      expect(plan.target!.met).toBe(true);
      expect(Math.abs(sparsity(pruned) - plan.target!.asked)).toBeLessThan(0.02);
      expect(sparsity(tuned!.model)).toBe(sparsity(pruned));
    }
    expect(did(model)).toEqual(["prune", "fit", "prune", "fit"]);
    expect(model.dense).toEqual(account(patched));
  });

  it("tunes after the last stage only, or not at all", async () => {
    const last = await pruneAndTune(request({ tune: "last" }));
    expect(last.stages.map(({ tuned }) => tuned?.epochs.length)).toEqual([undefined, 1]);
    const never = await pruneAndTune(request({ settings: { epochs: 0 } }));
    expect(digest(never.model)).toBe(digest(never.stages[1]!.pruned));
  });

  it("goes on to several targets at once, and to times, which are the dense model's at every stage", async () => {
    const targets = iterativeTargets({ flops: 0.36, bytes: 0.81, latency: 0.25 }, 2);
    expect(targets[0]).toEqual({ flops: 0.6, bytes: 0.9, latency: 0.5 });
    expect(targets[1]).toEqual({ flops: 0.36, bytes: 0.81, latency: 0.25 });
    const flops = (model: Parameters<typeof account>[0]) => account(model).flops.effective;
    const latency = {
      on: "nothing",
      measure: async (pruned: typeof patched) => ({ share: flops(pruned) / flops(patched), spread: 0 }),
    };
    const stages = iterativeTargets({ latency: 0.49 }, 2).map((target) => ({
      strategy: unstructured(),
      target,
    }));
    const tried = new Set<number>();
    const done = await pruneAndTune(
      request({ stages, latency, settings: { epochs: 0 }, onTry: (_, stage) => tried.add(stage) }),
    );
    expect([...tried]).toEqual([0, 1]);
    const reached = done.stages.map(({ plan }) => plan.target!);
    expect(reached.map(({ met }) => met)).toEqual([true, true]);
    for (const [i, { pruned }] of done.stages.entries())
      expect(Math.abs(flops(pruned) / flops(patched) - [0.7, 0.49][i]!)).toBeLessThan(0.05);
  });

  it("lets criteria look at the training windows", async () => {
    const stages = [
      { strategy: head({ criterion: "taylor" }), target: { parameters: 0.8 } },
      { strategy: unstructured({ criterion: "taylor" }), target: { sparsity: 0.6 } },
    ];
    const { model } = await pruneAndTune(request({ stages }));
    expect(did(model)).toEqual(["prune", "prune", "fit"]);
    expect(account(model).parameters.total).toBeLessThan(account(patched).parameters.total);
    expect(Math.abs(sparsity(model) - 0.6)).toBeLessThan(0.02);
  });

  it("is the same each time", async () => {
    const [first, second] = [await pruneAndTune(request({})), await pruneAndTune(request({}))];
    expect(digest(second.model)).toBe(digest(first.model));
  });

  it("ends with what is done so far when it is stopped: before, while planning, while tuning", async () => {
    const before = await pruneAndTune(request({ signal: AbortSignal.abort() }));
    expect(before).toEqual({ model: patched, stages: [] });

    const planning = new AbortController();
    const stop = { name: "stop", plan: async () => planning.signal.throwIfAborted() as never };
    const stages = [
      { strategy: unstructured(), target: { sparsity: 0.5 } },
      { strategy: stop, target: { sparsity: 0.8 } },
    ];
    const onPlan = () => planning.abort();
    const one = await pruneAndTune(request({ stages, onPlan, signal: planning.signal }));
    expect(did(one.model)).toEqual(["prune"]);

    const tuning = new AbortController();
    const half = await pruneAndTune(
      request({ tune: "each", signal: tuning.signal, onEpoch: () => tuning.abort() }),
    );
    expect(did(half.model)).toEqual(["prune", "fit"]);
  });
});
