import { account, digest, type LatencyMeter, type Model, sparsity } from "@espalier/core";
import { describe, expect, it } from "vitest";
import {
  expand,
  type Recipe,
  type RecipeEvent,
  type RunRequest,
  run,
  UnmetTargetError,
} from "../../src/index.ts";
import { data, fit, long, model, workbench } from "./small.ts";

const request = (recipe: Recipe, more: Partial<RunRequest> = {}): RunRequest => ({
  recipe,
  model,
  workbench,
  ...more,
});
const did = ({ history }: Model) => history.map((entry) => (entry as { did: string }).did);
const steps = (...list: Recipe["steps"]): Recipe => ({ format: 2, target: { sparsity: 0.6 }, steps: list });
const unstructured = { use: "unstructured" };

describe("a recipe", () => {
  it("runs its steps in order, each on the model its predecessor left, and the same each time", async () => {
    const events: RecipeEvent[] = [];
    const first = await run(request(long, { onEvent: (event) => void events.push(event) }));
    expect(first.ended).toBe("finished");
    expect(did(first.model)).toEqual(["fit", "prune", "reconstruct", "fit", "fit"]);
    expect(digest((await run(request(long))).model)).toBe(digest(first.model));
    expect(sparsity(first.model)).toBeCloseTo(0.7, 1);
    expect(account(first.model).flops.effective).toBeLessThan(account(model).flops.effective);
    expect(first.steps.map(({ does }) => does)).toEqual(["train", "prune", "tune", "tune"]);
    expect(structuredClone(events)).toEqual(events);
    const kinds = (step: number) => [
      ...new Set(events.filter((e) => e.step === step).map(({ kind }) => kind)),
    ];
    expect(kinds(1)).toEqual(["started", "tried", "planned", "layer", "done"]);
    expect(kinds(3)).toEqual(["started", "planned", "progress", "epoch", "done"]);
  });

  it("counts targets against the model before any pruning, and goes part of the way to the recipe's", async () => {
    const gradual = expand({
      strategies: [unstructured],
      target: { sparsity: 0.8 },
      schedule: { steps: 2 },
      fineTuning: fit,
    });
    const outcome = await run(request(gradual));
    const asked = outcome.steps.flatMap(({ plan }) => plan?.target?.asked ?? []);
    expect(asked).toEqual([1 - Math.sqrt(0.2), 0.8]);
    expect(did(outcome.model)).toEqual(["prune", "fit", "prune", "fit"]);
    // Each fit sees batches of its own.
    expect(outcome.model.history.filter((_, i) => i % 2 === 1)).toMatchObject([
      { settings: { seed: 0 } },
      { settings: { seed: 1 } },
    ]);
    expect(outcome.model.dense).toEqual(account(model));
  });

  it("distills from the dense model of the run, trained if the run trains it", async () => {
    const outcome = await run(request(long));
    const tuned = outcome.model.history[3] as { teacher: { model: string; weight: number } };
    expect(tuned.teacher).toEqual({ model: digest(outcome.dense), weight: 0.5 });
    expect(digest(outcome.dense)).not.toBe(digest(model));
  });

  it("gives criteria the training windows", async () => {
    const outcome = await run(
      request(steps({ do: "prune", strategy: { use: "unstructured", criterion: "taylor" } })),
    );
    expect(sparsity(outcome.model)).toBeCloseTo(0.6, 1);
  });

  it("measures latency with the meter of its workbench, against the dense model", async () => {
    const flops = (one: Model) => account(one).flops.effective;
    let disposed = 0;
    const latency = async (dense: Model): Promise<LatencyMeter & { dispose(): void }> => ({
      on: "nothing",
      measure: async (pruned) => ({ share: flops(pruned) / flops(dense), spread: 0 }),
      dispose: () => void disposed++,
    });
    const recipe: Recipe = {
      format: 2,
      steps: [{ do: "prune", strategy: unstructured, target: { latency: 0.6 } }],
    };
    const outcome = await run(request(recipe, { workbench: { ...workbench, latency } }));
    expect(Math.abs(flops(outcome.model) / flops(model) - 0.6)).toBeLessThan(0.05);
    expect(disposed).toBe(1);
    await expect(run(request(recipe))).rejects.toThrow("latency cannot be measured here.");
  });

  it("carries out a plan, given or in a file", async () => {
    const pruned = await run(request(steps({ do: "prune", strategy: unstructured })));
    const { by } = pruned.model.history[0] as unknown as { by: { step: { do: string } } };
    expect(by.step.do).toBe("prune");
  });
});

describe("a target that cannot be met", () => {
  const heads: Recipe = {
    format: 2,
    steps: [
      { do: "train", fit: { ...fit, epochs: 1 } },
      { do: "prune", strategy: { use: "head" }, target: { flops: 0.05 } },
    ],
  };

  it("fails before anything is trained", async () => {
    const events: RecipeEvent[] = [];
    const failing = run(request(heads, { onEvent: (event) => void events.push(event) }));
    await expect(failing).rejects.toThrow(UnmetTargetError);
    await expect(failing).rejects.toThrow(/^target flops ≤ 5 % cannot be met by "head": /);
    expect(events).toEqual([]);
  });

  it("is carried out as nearly as can be if the step accepts that", async () => {
    const [train, prune] = heads.steps as [Recipe["steps"][0], Recipe["steps"][0]];
    const outcome = await run(
      request({ ...heads, steps: [train, { ...prune, acceptNearest: true } as typeof prune] }),
    );
    expect(outcome.steps[1]!.plan!.target!.met).toBe(false);
    expect(account(outcome.model).flops.effective).toBeLessThan(account(model).flops.effective);
  });

  it("fails for masks that tighten, too", async () => {
    const masks = { strategy: { use: "unstructured", keep: ["*"] } };
    await expect(run(request(steps({ do: "tune", fit, masks })))).rejects.toThrow(
      /sparsity ≥ 60 % cannot be met/,
    );
  });
});

describe("a recipe that makes no sense is refused before anything runs:", () => {
  const never: Partial<RunRequest> = {
    workbench: {
      ...workbench,
      data: () => Promise.reject(new Error("data was loaded")),
      backend: () => Promise.reject(new Error("a backend was opened")),
    },
  };
  const prune = { do: "prune", strategy: unstructured } as const;
  it.each<[string, Recipe, RegExp]>([
    [
      "training after pruning",
      steps(prune, { do: "train", fit }),
      /steps\.1\.do: train comes before pruning\. Use tune/,
    ],
    [
      "masks by a strategy that removes",
      steps({ do: "tune", fit, masks: { strategy: { use: "channel" } } }),
      /steps\.0\.masks\.strategy: "channel" removes parts of the model; only weights can be masked/,
    ],
    [
      "masks by strategies of which one removes",
      steps({
        do: "tune",
        fit,
        masks: { strategy: { use: "combined", stages: [unstructured, { use: "head" }] } },
      }),
      /"combined" removes parts/,
    ],
    ["no target", { format: 2, steps: [prune] }, /steps\.0\.target: is missing: give a target/],
    [
      "a target nobody uses",
      steps({ ...prune, target: { sparsity: 0.2 } }),
      /recipe, target: has no effect, because every step has its own target/,
    ],
    [
      "a target that an earlier step has reached",
      steps(prune, { ...prune, target: { sparsity: 0.5 } }),
      /steps\.1\.target: asks for no more than step 1 has reached/,
    ],
    [
      "latency while training",
      {
        format: 2,
        steps: [{ do: "tune", fit, masks: { strategy: unstructured, target: { latency: 0.5 } } }],
      },
      /latency cannot be measured while the model is trained/,
    ],
    [
      "latency settings without a target",
      { ...steps(prune), latency: { batch: 2 } },
      /latency: only applies with/,
    ],
    [
      "regrowth of nothing",
      steps({ do: "tune", fit: { ...fit, regrow: {} } }),
      /nothing is masked before this step/,
    ],
    ["an unknown strategy", steps({ do: "prune", strategy: { use: "heads" } }), /Did you mean "head"/],
    ["an unknown backend", { ...steps(prune), backend: "wasn" }, /backend "wasn" is not known/],
    [
      "a plan for another model",
      steps({ do: "apply", plan: { format: 1, base: "0", steps: [] } }, prune),
      /steps\.0\.plan: was made for another model/,
    ],
  ])("%s", async (_, recipe, message) => {
    await expect(run(request(recipe, never))).rejects.toThrow(message);
  });
});

describe("an aborted run", () => {
  it("ends with what is done so far: before, while planning, while tuning", async () => {
    const before = await run(request(long, { signal: AbortSignal.abort() }));
    expect(before).toMatchObject({ ended: "aborted", steps: [] });
    expect(before.model).toBe(model);

    const stopped = (when: (event: RecipeEvent) => boolean) => {
      const controller = new AbortController();
      const onEvent = (event: RecipeEvent) => void (when(event) && controller.abort());
      return run(request(long, { signal: controller.signal, onEvent }));
    };
    const planning = await stopped(({ kind, step }) => kind === "tried" && step === 1);
    expect([planning.ended, did(planning.model)]).toEqual(["aborted", ["fit"]]);
    const tuning = await stopped(({ kind, step }) => kind === "epoch" && step === 2);
    expect([tuning.ended, did(tuning.model)]).toEqual(["aborted", ["fit", "prune", "reconstruct", "fit"]]);
    expect(tuning.steps.at(-1)!.fit).toMatchObject({ ended: "aborted", epochs: [{ epoch: 1 }] });
  });

  it("goes on from every checkpoint to the same bytes", async () => {
    const checkpoints: Parameters<NonNullable<RunRequest["onCheckpoint"]>>[0][] = [];
    const whole = await run(
      request(long, { onCheckpoint: (checkpoint) => void checkpoints.push(checkpoint) }),
    );
    // Six epochs and four steps.
    expect(checkpoints.length).toBe(10);
    for (const resume of checkpoints) {
      const resumed = await run(request(long, { resume }));
      expect(digest(resumed.model)).toBe(digest(whole.model));
      expect(resumed.model.history).toEqual(whole.model.history);
    }
    await expect(run(request({ ...long, seed: 4 }, { resume: checkpoints[0] }))).rejects.toThrow(
      "the unfinished run used another recipe, or started from another model.",
    );
    expect(data.checksum).toBeDefined();
  });
});
