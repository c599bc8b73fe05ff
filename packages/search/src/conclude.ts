import type { Model } from "@espalier/core";
import type { WindowSet } from "@espalier/datasets";
import type { Recipe } from "@espalier/recipe";
import { type Chosen, decide, findingsOf, nameAt, sizeOf, type View, viewOf } from "./findings.ts";
import { modelName, type SearchRecord, type Task, taskOf } from "./records.ts";
import type { SearchStore } from "./store.ts";
import type { Work } from "./work.ts";

/** A fixed recipe to compare with. */
export interface Rival {
  readonly label: string;
  readonly recipe: Recipe;
}

/** Input for the end of a search. */
export interface ConclusionRequest {
  readonly store: SearchStore;
  readonly work: Work;
  /** The dense model. */
  readonly model: Model;
  readonly rivals: ((target: { bytes: number } | { flops: number }) => readonly Rival[]) | undefined;
  readonly test: ((model: Model) => Promise<WindowSet>) | undefined;
  /** Sees to it that trials are in the store. */
  trials(tasks: readonly Task[]): Promise<void>;
  append(record: SearchRecord): Promise<void>;
}

/** Chooses, repeats the choice with further seeds, compares it with fixed recipes, and tests once. */
export async function conclude(request: ConclusionRequest): Promise<void> {
  const { store } = request;
  for (;;) {
    const view = viewOf(store.records);
    const next = decide(view);
    if ("tasks" in next) await request.trials(next.tasks);
    else {
      if (next.choice !== undefined) await compare(next.choice, view, request);
      return test(request);
    }
  }
}

/** Runs fixed recipes at the size of the chosen model. */
async function compare(choice: Chosen, { header, top }: View, request: ConclusionRequest): Promise<void> {
  const { metric, size } = sizeOf(choice, header.goal);
  const target = metric === "bytes" ? { bytes: size } : { flops: size };
  const rivals = request.rivals?.(target) ?? [];
  await request.trials(
    rivals.map(({ label, recipe }) =>
      taskOf(nameAt(label, choice, header.goal), top, recipe, header.settings.seed),
    ),
  );
}

/** Test errors of the dense model, the chosen recipe's seeds, the front and the rivals: each is measured once. */
async function test({ model: dense, work, store, test, append }: ConclusionRequest): Promise<void> {
  if (test === undefined) return;
  const { chosen, front, reference, rivals = [] } = findingsOf(store.records);
  const all = [...(chosen?.trials ?? []), ...front, ...(reference?.trials ?? []), ...rivals].filter(
    ({ result }) => result,
  );
  const byName = new Map(all.map((trial) => [modelName(trial), trial]));
  for (const [name, trial] of [["dense", undefined] as const, ...byName]) {
    if (store.records.some((record) => record.kind === "test" && record.model === name)) continue;
    const model = trial === undefined ? dense : await work.modelOf(trial);
    await append({ kind: "test", model: name, ...(await work.test(model, await test(model))) });
  }
}
