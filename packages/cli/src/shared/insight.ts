import { measureLatency } from "@espalier/bench";
import {
  account,
  type Backend,
  EspalierError,
  headDensities,
  importanceDistribution,
  layerCounts,
  layerSensitivity,
  type Model,
  maskPicture,
  prunedTensors,
  sparsity,
} from "@espalier/core";
import { matchesAny } from "@espalier/core/pruning";
import { type ForecastingData, spacedWindows } from "@espalier/datasets";
import { loadModel } from "@espalier/formats/node";
import { createRegistry } from "@espalier/recipe/standard";
import type { Comparison, Insight, Side } from "@espalier/report/text";
import { collector, evaluate, forecastingDataFor } from "@espalier/training";
import type { InspectOptions } from "../commands/inspect.ts";
import type { Context } from "../context.ts";
import { type Bar, openBar } from "../output/progress.ts";
import { openBackend } from "./backend.ts";
import { loadSourceFor } from "./data.ts";
import { showEvaluation } from "./fitting.ts";

/** Default amounts for `--sensitivity`. */
const defaultAmounts: readonly number[] = [0.5, 0.9];
/** Number of tensors drawn if no pattern is given. */
const maxMasks = 12;

/** Gathers what the options ask to see of a model. Data is read only if something needs it. */
export async function gatherInsight(
  model: Model,
  options: InspectOptions,
  context: Context,
): Promise<Insight> {
  if (options.evaluate && options.against === undefined)
    throw new EspalierError(
      "--evaluate only applies with --against FILE. To measure one model, use espalier evaluate.",
    );
  const bar = await openBar(context);
  try {
    return await new Gathering(model, options, context, bar).all();
  } finally {
    bar.stop();
  }
}

class Gathering {
  readonly #model: Model;
  readonly #options: InspectOptions;
  readonly #context: Context;
  readonly #bar: Bar;
  #backend: Promise<Backend> | undefined;
  #data: Promise<ForecastingData> | undefined;

  constructor(model: Model, options: InspectOptions, context: Context, bar: Bar) {
    this.#model = model;
    this.#options = options;
    this.#context = context;
    this.#bar = bar;
  }

  async all(): Promise<Insight> {
    const { importance, sensitivity, against } = this.#options;
    const model = this.#model;
    return {
      name: model.name,
      layers: layerCounts(model),
      heads: headDensities(model),
      masks: this.#masks(),
      ...(importance === undefined ? {} : { importance: await this.#importance(importance) }),
      ...(sensitivity === undefined ? {} : { sensitivity: await this.#sensitivity(sensitivity) }),
      ...(against === undefined ? {} : { comparison: await this.#comparison(against) }),
    };
  }

  /** The tensors that match the pattern; for a page without a pattern, the largest ones. */
  #masks(): Insight["masks"] {
    const { masks, out } = this.#options;
    if (masks === undefined && out === undefined) return [];
    const pruned = prunedTensors(this.#model);
    const size = (name: string) => this.#model.tensors.get(name)!.data.length;
    const largest = pruned.toSorted((a, b) => size(b) - size(a)).slice(0, maxMasks);
    const chosen =
      typeof masks === "string"
        ? pruned.filter((name) => matchesAny([masks], name))
        : pruned.filter((name) => largest.includes(name));
    if (typeof masks === "string" && chosen.length === 0) {
      const why =
        pruned.length === 0 ? "nothing was pruned in this model" : `the pruned tensors are ${pruned[0]}, …`;
      throw new EspalierError(`--masks ${masks}: matches no pruned tensor; ${why}.`);
    }
    return chosen.map((tensor) => maskPicture(this.#model, tensor));
  }

  async #importance(criterion: string | true): Promise<Insight["importance"]> {
    const named = criterion === true ? {} : { criterion };
    const lazily: Parameters<typeof importanceDistribution>[0]["collect"] = async (collection) => {
      const collect = collector({
        backend: await this.#openBackend(),
        windows: (await this.#loadData()).train,
        signal: this.#context.signal,
      });
      return collect(collection);
    };
    return importanceDistribution({ model: this.#model, ...named, collect: lazily });
  }

  async #sensitivity(given: readonly number[] | true): Promise<Insight["sensitivity"]> {
    const backend = await this.#openBackend();
    const { validation } = await this.#loadData();
    const windows = spacedWindows(validation, this.#options.windows);
    return layerSensitivity({
      model: this.#model,
      amounts: given === true ? defaultAmounts : given,
      evaluate: async (pruned) => (await evaluate({ model: pruned, backend, windows })).mse,
      signal: this.#context.signal,
      onProgress: (done, total) => this.#bar.update({ label: "sensitivity", share: done / total }),
    });
  }

  async #comparison(file: string): Promise<Comparison> {
    const before = await loadModel(this.#context.path(file));
    if (!this.#options.evaluate) return { before: sideOf(before), after: sideOf(this.#model) };
    const backend = await this.#openBackend();
    const { test, scaler } = await this.#loadData();
    const tested = async (model: Model, label: string): Promise<Side> => {
      const { mse, mae, rmse } = await evaluate({
        model,
        backend,
        windows: test,
        scaler,
        signal: this.#context.signal,
        onProgress: showEvaluation(this.#bar, label),
      });
      return { ...sideOf(model), test: { mse, mae, rmse } };
    };
    const sides = { before: await tested(before, "before"), after: await tested(this.#model, "after") };
    const { batch = 1 } = this.#options;
    const timed = await measureLatency({ dense: before, pruned: this.#model }, backend, batch, {
      time: 500,
      samples: 20,
      signal: this.#context.signal,
    });
    return { ...sides, time: { ...timed, backend: backend.name, batch } };
  }

  #openBackend(): Promise<Backend> {
    this.#backend ??= openBackend(createRegistry(), { backend: this.#options.on });
    return this.#backend;
  }

  #loadData(): Promise<ForecastingData> {
    // A drawn model knows how many series it has, not which.
    const { series: _, ...options } = this.#options;
    this.#data ??= loadSourceFor(this.#model, options, this.#context, this.#bar).then((source) =>
      forecastingDataFor(this.#model, source, { splits: options.splits }),
    );
    return this.#data;
  }
}

function sideOf(model: Model): Side {
  const counts = account(model);
  return { counts, sparsity: sparsity(model, counts) };
}
