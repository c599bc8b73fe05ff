import { describe, expect, it } from "vitest";
import {
  type HandedOut,
  memoryStore,
  modelName,
  type SearchEvent,
  search,
  type TrialOutcome,
  type TrialQueue,
} from "../src/index.ts";
import { request } from "./small.ts";

/** Workers of a test: a trial ends when it is told to, and its error depends on size and length alone. */
class Workers implements TrialQueue {
  places = 3;
  readonly begun: string[] = [];
  readonly ran: string[] = [];
  readonly #open = new Map<string, () => void>();
  readonly #outcomes = new Map<string, Promise<TrialOutcome>>();

  async begin(search: string): Promise<void> {
    this.begun.push(search);
  }

  async handedOut(trials: readonly HandedOut[]): Promise<readonly HandedOut[]> {
    return trials.filter(({ task }) => this.#outcomes.has(modelName(task)));
  }

  run(trial: HandedOut): Promise<TrialOutcome> {
    const name = modelName(trial.task);
    const known = this.#outcomes.get(name);
    if (known !== undefined) return known;
    this.ran.push(name);
    const outcome = new Promise<void>((end) => this.#open.set(name, end)).then(() => outcomeOf(trial));
    this.#outcomes.set(name, outcome);
    return outcome;
  }

  get open(): readonly string[] {
    return [...this.#open.keys()];
  }

  end(name: string): void {
    this.#open.get(name)!();
    this.#open.delete(name);
  }
}

function outcomeOf({ task, recipe }: HandedOut): TrialOutcome {
  const [step] = recipe.steps;
  const { bytes } = (step as { readonly target: { readonly bytes: number } }).target;
  const mse = 0.5 + 0.2 / task.epochs + 0.1 / bytes + task.seed / 1000;
  const result = { validation: { mse, mae: mse }, bytes, flops: bytes, digest: "0" };
  return { result, seconds: 1, host: "alpha" };
}

const goal = { minimize: "bytes", error: 0.9 } as const;
const settings = { ...request.settings!, proposals: 1 };

/** Ends the trials that a function chooses, one every two milliseconds. */
function ending(workers: Workers, choose: (open: readonly string[]) => string | undefined) {
  const timer = setInterval(() => {
    const name = choose(workers.open);
    if (name !== undefined) workers.end(name);
  }, 2);
  return () => clearInterval(timer);
}

describe("a search whose trials run elsewhere", () => {
  it("has as many in flight as there are places, and promotes while a straggler runs", async () => {
    const workers = new Workers();
    const started: Extract<SearchEvent, { kind: "started" }>[] = [];
    // The first trial takes longer than all others, until the last one that was asked for has been handed out.
    const stop = ending(
      workers,
      (open) =>
        open.find((name) => name !== "c0-rung0-seed5") ?? (workers.ran.length < 14 ? undefined : open[0]),
    );
    const { chosen, trials, ended } = await search({
      ...{ ...request, goal, settings, queue: workers, evaluations: 14 },
      onEvent: (event) => void (event.kind === "started" && started.push(event)),
    });
    stop();
    expect(ended).toBe("finished");
    expect(workers.begun).toHaveLength(1);
    expect(Math.max(...started.map(({ inFlight }) => inFlight))).toBe(3);
    const names = trials.map(modelName);
    const straggler = names.indexOf("c0-rung0-seed5");
    expect(names.slice(0, straggler).filter((name) => name.includes("rung1"))).not.toEqual([]);
    // All the evaluations that were asked for, and what repeating the choice takes.
    expect(trials.filter(({ seed, last }) => seed === 5 && !last)).toHaveLength(14);
    expect(chosen!.trials.map(({ seed }) => seed)).toEqual([5, 6, 7]);
    expect(trials.every(({ host, elapsed }) => host === "alpha" && elapsed! >= 0)).toBe(true);
  });

  it("ends if its reference failed, and tries it again the next time", async () => {
    const store = memoryStore();
    const over = (run: (trial: HandedOut) => TrialOutcome) =>
      search({
        ...{ ...request, settings, store, evaluations: 4 },
        goal: { minimize: "bytes", error: "+80%", reference: "tuned" },
        queue: {
          places: 2,
          begin: async () => {},
          handedOut: async () => [],
          run: async (trial) => run(trial),
        },
      });
    await expect(over(() => ({ error: "every worker was lost", seconds: 1 }))).rejects.toThrow(
      "search: the unpruned model could not be trained on: every worker was lost",
    );
    const withReference = (trial: HandedOut): TrialOutcome =>
      trial.task.of === "dense"
        ? { result: { validation: { mse: 0.5, mae: 0.5 }, bytes: 1, flops: 1, digest: "0" }, seconds: 1 }
        : outcomeOf(trial);
    const { ended, allowed } = await over(withReference);
    expect(ended).toBe("finished");
    expect(allowed).toBeCloseTo(0.9, 10);
  });

  it("that is stopped finds its trials in flight again, and records each once", async () => {
    const workers = new Workers();
    workers.places = 4;
    const store = memoryStore();
    for (const records of [9, 16, 25, Number.POSITIVE_INFINITY]) {
      const stop = ending(workers, (open) => (open.length > 2 ? open[1] : open[0]));
      const controller = new AbortController();
      // What a stopped process had handed out ends, whether somebody waits or not.
      const { ended } = await search({
        ...{ ...request, goal, settings, store, evaluations: 16, signal: controller.signal },
        queue: {
          ...{ places: 4, begin: (name) => workers.begin(name), handedOut: (all) => workers.handedOut(all) },
          run: (trial) =>
            Promise.race([
              workers.run(trial),
              new Promise<never>((_, reject) =>
                controller.signal.addEventListener("abort", () => reject(controller.signal.reason)),
              ),
            ]),
        },
        onEvent: () => void (store.records.length >= records && controller.abort()),
      });
      stop();
      expect(ended).toBe(records === Number.POSITIVE_INFINITY ? "finished" : "aborted");
    }
    const recorded = store.records.flatMap((record) => (record.kind === "trial" ? [modelName(record)] : []));
    expect(new Set(workers.ran).size).toBe(workers.ran.length);
    expect(recorded.toSorted()).toEqual(workers.ran.toSorted());
  });

  it("records results, and promotes by them, while the next candidate is in the making", async () => {
    const workers = new Workers();
    let [seen, before, quiet] = ["", "", 0];
    // Trials end while a recipe runs here; or if nothing else happens, because all places are taken.
    const stop = ending(workers, (open) => {
      quiet = seen === before ? quiet + 1 : 0;
      before = seen;
      return quiet < 25 ? undefined : open[0];
    });
    await search({
      ...{ ...request, goal, settings, queue: workers, evaluations: 10 },
      async onEvent(event) {
        // Recipes run here in proposals alone.
        if (event.kind === "run") {
          const [first] = workers.open;
          if (first !== undefined) workers.end(first);
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
        seen += event.kind === "record" ? event.record.kind[0] : event.kind === "run" ? "-" : "";
        if (event.kind === "started" && event.task.rung > 0) seen += "p";
      },
    });
    stop();
    expect(seen).toMatch(/-[^c]*t[^c]*p[^c]*-/);
  });

  it("refuses measured times", async () => {
    const queue = new Workers();
    await expect(search({ ...request, goal: { minimize: "latency", error: 0.9 }, queue })).rejects.toThrow(
      /on different machines, whose times cannot be compared: limit flops instead of latency/,
    );
    expect(queue.begun).toEqual([]);
  });
});
