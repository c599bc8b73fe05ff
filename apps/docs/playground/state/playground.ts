import { computed, type InjectionKey, inject, onBeforeUnmount, reactive, shallowReactive, watch } from "vue";
import type {
  Argument,
  BackendState,
  CallName,
  Candidate,
  Choice,
  Fit,
  Forecast,
  Found,
  Latency,
  ModelSource,
  OpenedModel,
  Pruned,
  ReadSeries,
  Result,
  SaveFormat,
  SeriesSource,
  StrategyName,
  Tuned,
  WorkProgress,
} from "../protocol.ts";
import { criteriaFor, type Metric, targetOf } from "./choices.ts";
import { Cancelled, WorkerClient } from "./client.ts";

/** Settings made by the visitor. */
export interface Settings {
  strategy: StrategyName;
  criterion: string;
  structure: "" | "4x1" | "2:4";
  metric: Metric;
  /** Share to remove, in hundredths. */
  percent: number;
  /** Per cent of error that a search may cost, and its seconds. */
  allowed: number;
  budget: number;
  batch: number;
  window: number;
  series: number;
}

/** Results so far. */
interface Known {
  model: OpenedModel | undefined;
  /** Id of the model that comes with the page, where it is one. */
  shipped: string | undefined;
  series: ReadSeries | undefined;
  fit: Fit | undefined;
  misfit: string | undefined;
  pruned: Pruned | undefined;
  /** Result of fine-tuning, if `pruned` was fine-tuned. */
  tuned: Tuned | undefined;
  /** Result of a search, if `pruned` was searched for. */
  found: Found | undefined;
  /** The target that `pruned` was made for. */
  choice: Choice | undefined;
  forecast: Forecast | undefined;
  backends: readonly BackendState[];
  latencies: readonly Latency[];
  /** A file of weights that waits for somebody to say what they are of. */
  weights: { file: string; content: Blob; candidates: readonly Candidate[] } | undefined;
  error: string | undefined;
  /** Whether another model is being opened. */
  opening: boolean;
  /** Whether something was chosen that is not planned yet: the slider may still move. */
  resting: boolean;
  /** The current activity; undefined if the page waits for the visitor. */
  busy: WorkProgress | undefined;
}

/** Milliseconds that the slider rests before anything is planned. */
const rest = 140;
/** Milliseconds after which a worker that does not hear is ended. */
const patience = 1500;

/** Name of a recipe that is saved. */
export const recipeFile = "recipe.yaml";

export type Playground = ReturnType<typeof createPlayground>;
export const playgroundKey: InjectionKey<Playground> = Symbol("playground");

export function usePlayground(): Playground {
  const playground = inject(playgroundKey);
  if (playground === undefined) throw new Error("this part belongs into the playground.");
  return playground;
}

/** The page's state: settings that parts bind to, what is known, and what can be done. */
export function createPlayground(start: () => Worker) {
  const client = new WorkerClient(start);
  const settings = reactive<Settings>({
    strategy: "combined",
    criterion: "l2",
    structure: "",
    metric: "sparsity",
    percent: 60,
    allowed: 1,
    budget: 60,
    batch: 1,
    window: 0,
    series: 0,
  });
  const known = shallowReactive<Known>({
    model: undefined,
    shipped: undefined,
    series: undefined,
    fit: undefined,
    misfit: undefined,
    pruned: undefined,
    tuned: undefined,
    found: undefined,
    choice: undefined,
    forecast: undefined,
    backends: [],
    latencies: [],
    weights: undefined,
    error: undefined,
    opening: false,
    resting: false,
    busy: undefined,
  });
  /** State that a fresh worker needs. */
  const opened: { model?: ModelSource; series?: SeriesSource } = {};
  const running = new Set<AbortController>();
  let planning: AbortController | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** The file that was saved last. */
  let downloaded: string | undefined;

  const choice = computed((): Choice => {
    const { strategy, criterion, structure, metric, percent } = settings;
    const weights = strategy === "unstructured" || strategy === "combined";
    return {
      strategy,
      criterion,
      ...(weights && structure !== "" && { structure }),
      target: targetOf(metric, percent / 100),
    };
  });

  /** The model on the page, if it was fine-tuned: as chosen, or by a search. */
  const trained = computed(() => known.tuned ?? known.found);

  /** One call, shown while it runs; undefined if it was cancelled or failed, which is then said. */
  async function work<K extends CallName>(
    call: K,
    argument: Argument<K>,
    controller = new AbortController(),
  ): Promise<Result<K> | undefined> {
    running.add(controller);
    known.busy ??= { what: "Working" };
    try {
      return await client.call(call, argument, {
        signal: controller.signal,
        onProgress: (progress) => {
          known.busy = progress;
        },
      });
    } catch (error) {
      if (!(error instanceof Cancelled)) known.error = (error as Error).message;
      return undefined;
    } finally {
      running.delete(controller);
      if (running.size === 0) known.busy = undefined;
    }
  }

  /** Tells the worker to stop; where it does not hear in time, ends it, and gives a fresh one what this one had. */
  async function cancel(): Promise<void> {
    stopResting();
    const stopping = [...running];
    for (const controller of stopping) controller.abort();
    await new Promise((resolve) => setTimeout(resolve, patience));
    if (!stopping.some((controller) => running.has(controller))) return;
    client.end();
    const shown = known.pruned && known.choice;
    forget();
    if (opened.series !== undefined) await work("read", opened.series);
    if (opened.model !== undefined) await work("open", opened.model);
    if (shown !== undefined) await prune(shown);
  }

  function forget(): void {
    known.pruned = undefined;
    known.tuned = undefined;
    known.found = undefined;
    known.forecast = undefined;
  }

  function stopResting(): void {
    clearTimeout(timer);
    known.resting = false;
  }

  /** Stops what is being pruned or fine-tuned: something else takes its place, and its result is no longer wanted. */
  function supersede(by?: AbortController): void {
    stopResting();
    planning?.abort();
    planning = by;
  }

  async function open(source: ModelSource): Promise<void> {
    supersede();
    known.error = undefined;
    const controller = new AbortController();
    known.opening = true;
    const found = await work("open", source, controller);
    known.opening = false;
    if (found === undefined) return;
    if ("candidates" in found) {
      if ("file" in source) known.weights = { ...source, candidates: found.candidates };
      return;
    }
    opened.model = source;
    known.weights = undefined;
    known.model = found;
    known.shipped = "shipped" in source ? source.shipped : undefined;
    forget();
    known.latencies = [];
    refit(found);
    if (!controller.signal.aborted) await prune();
  }

  async function read(source: SeriesSource): Promise<void> {
    supersede();
    known.error = undefined;
    const controller = new AbortController();
    const found = await work("read", source, controller);
    if (found === undefined) return;
    opened.series = source;
    known.series = found;
    refit(found);
    if (known.model !== undefined && !controller.signal.aborted) await prune();
  }

  function refit({ fit, misfit }: { readonly fit?: Fit; readonly misfit?: string }): void {
    known.fit = fit;
    known.misfit = misfit;
    known.forecast = undefined;
    settings.window = fit === undefined ? 0 : Math.min(Math.floor(fit.windows / 3), fit.windows - 1);
    settings.series = fit === undefined ? 0 : Math.max(0, fit.columns.length - 1);
  }

  async function prune(asked = choice.value): Promise<void> {
    const controller = new AbortController();
    supersede(controller);
    known.error = undefined;
    const pruned = await work("prune", asked, controller);
    if (pruned === undefined || planning !== controller) return;
    await show({ pruned }, asked);
  }

  /** Prunes what is chosen again, with fine-tuning; cancelled, the pruned model stays. */
  async function tune(): Promise<void> {
    const asked = choice.value;
    const tuned = await train("tune", asked);
    if (tuned !== undefined) await show({ pruned: tuned, tuned }, asked);
  }

  /** Searches for the smallest model within an error; cancelled, the pruned model stays. */
  async function find(): Promise<void> {
    const asked = choice.value;
    const found = await train("find", { percent: settings.allowed, seconds: settings.budget });
    if (found !== undefined) await show({ pruned: found, found }, asked);
  }

  /** Undefined if nothing came of it, or if its result is no longer wanted. */
  async function train<K extends "tune" | "find">(
    call: K,
    argument: Argument<K>,
  ): Promise<Result<K> | undefined> {
    const controller = new AbortController();
    supersede(controller);
    known.error = undefined;
    const trained = await work(call, argument, controller);
    if (trained === undefined || planning !== controller) return undefined;
    if (!controller.signal.aborted) return trained;
    // Told to stop when it was done already: the worker goes back to what is shown.
    await prune(known.choice);
    return undefined;
  }

  async function show(
    made: { readonly pruned: Pruned; readonly tuned?: Tuned; readonly found?: Found },
    asked: Choice,
  ): Promise<void> {
    known.pruned = made.pruned;
    known.tuned = made.tuned;
    known.found = made.found;
    known.choice = asked;
    known.latencies = [];
    await forecast();
  }

  async function forecast(): Promise<void> {
    if (known.fit === undefined || known.pruned === undefined) return;
    const found = await work("forecast", settings.window);
    if (found !== undefined && found.window === settings.window) known.forecast = found;
  }

  async function measure(): Promise<void> {
    known.error = undefined;
    const { batch } = settings;
    known.latencies = [];
    for (const { name, available, software } of known.backends) {
      if (!available || software) continue;
      const latency = await work("measure", { backend: name, batch });
      if (latency === undefined) return;
      known.latencies = [...known.latencies, latency];
    }
  }

  async function save(format: SaveFormat): Promise<void> {
    const file = await work("save", format);
    if (file !== undefined) download(file.name, new Blob([file.bytes], { type: file.type }));
  }

  /** The recipe of the model, as a file. */
  function saveRecipe(): void {
    download(recipeFile, new Blob([trained.value!.recipe], { type: "application/yaml" }));
  }

  function download(name: string, content: Blob): void {
    // Nobody tells when a download has begun: the one before has.
    if (downloaded !== undefined) URL.revokeObjectURL(downloaded);
    downloaded = URL.createObjectURL(content);
    const link = document.createElement("a");
    link.href = downloaded;
    link.download = name;
    link.click();
  }

  watch(
    () => settings.strategy,
    (strategy) => {
      const known = criteriaFor(strategy).some(({ value }) => value === settings.criterion);
      if (!known) settings.criterion = "l2";
    },
  );
  watch(choice, (now, before) => {
    if (known.model === undefined || JSON.stringify(now) === JSON.stringify(before)) return;
    supersede();
    known.resting = true;
    timer = setTimeout(() => void prune(), rest);
  });
  watch(
    () => settings.window,
    () => void forecast(),
  );

  async function begin(model: ModelSource, series: SeriesSource): Promise<void> {
    await read(series);
    await open(model);
    known.backends = (await work("backends", undefined)) ?? [];
  }

  onBeforeUnmount(() => {
    clearTimeout(timer);
    client.end();
  });

  return {
    settings,
    known,
    choice,
    trained,
    begin,
    open,
    read,
    tune,
    find,
    measure,
    save,
    saveRecipe,
    cancel,
  };
}
