import {
  type Backend,
  type Collect,
  type MeetRequest,
  type Model,
  type PruningPlan,
  prune,
  type Target,
  type TargetReport,
} from "@espalier/core";
import type { ForecastingData } from "@espalier/datasets";
import type { Registry } from "@espalier/recipe";
import { formatShare, plural } from "@espalier/report/text";
import { fit, iterativeTargets, pruneAndReconstruct, pruneAndTune, withData } from "@espalier/training";
import type { Context } from "../context.ts";
import { fitSettings } from "../options/groups.ts";
import type { Bar } from "../output/progress.ts";
import { type ShownFit, showFit } from "./fitting.ts";
import type { PruneJob } from "./prune-job.ts";
import { inStages } from "./prune-options.ts";
import { type ChosenStrategies, chosenTarget } from "./strategies.ts";

/** What pruning works with. Data and backend are loaded once, and only where something needs them. */
export interface Workshop {
  readonly model: Model;
  readonly registry: Registry;
  /** Absent where a plan says what to do. */
  readonly chosen: ChosenStrategies | undefined;
  readonly options: PruneJob;
  readonly context: Context;
  readonly bar: Bar;
  data(): Promise<ForecastingData>;
  backend(): Promise<Backend>;
  /** What a search for a target is given: what measures, where latency is asked for, and how it shows. */
  search(target: Target): Promise<Pick<MeetRequest, "latency" | "onTry">>;
  /** Runs graphs of criteria over calibration data. */
  readonly collect: Collect;
}

/** What pruning and fine-tuning gave. */
export interface Outcome {
  /** Before fine-tuning; absent where there was no such moment. */
  readonly pruned?: Model;
  readonly model: Model;
  readonly tuningEpochs: number;
  /** What became of the target, where the plan does not say. */
  readonly target?: TargetReport;
  /** What the model is, where a Ctrl-C ended fine-tuning. */
  readonly stopped?: string;
}

/** Carries a plan out, and fine-tunes as the options say: not at all, after it, between steps, or while it is carried out. */
export async function carryOutAndTune(workshop: Workshop, plan: PruningPlan): Promise<Outcome> {
  const { options, context, bar } = workshop;
  const { fineTune } = options;
  if (fineTune === undefined) {
    const pruned = await carryOut(workshop, plan);
    return { pruned, model: pruned, tuningEpochs: 0 };
  }
  context.endsInOrder(bar.line);
  if (options.gradually !== undefined) return tuneGradually(workshop, fineTune);
  if (inStages(options)) return tuneInStages(workshop, fineTune);
  return tuneAfter(workshop, await carryOut(workshop, plan), fineTune);
}

/** The pruned model, its layers refitted where that is asked for. */
async function carryOut(workshop: Workshop, plan: PruningPlan): Promise<Model> {
  const { model, options, context, bar } = workshop;
  if (options.reconstruction === undefined) return prune(model, plan);
  const { train: windows, name, checksum } = await workshop.data();
  const { model: refitted } = await pruneAndReconstruct({
    model,
    plan,
    backend: await workshop.backend(),
    windows,
    settings: refitting(options),
    data: { name, checksum },
    signal: context.signal,
    onLayer: ({ tensor }, done, total) =>
      bar.update({ label: "reconstruct", share: done / total, detail: tensor }),
  });
  return refitted;
}

function refitting({ reconstruction, seed }: PruneJob) {
  return { ...reconstruction, ...(seed === undefined ? {} : { seed }) };
}

async function tuneAfter(workshop: Workshop, pruned: Model, epochs: number): Promise<Outcome> {
  const tuned = await fit({
    ...(await fitting(workshop, epochs)),
    model: withData(pruned, await workshop.data()),
    ...show(workshop, "fine-tune", epochs),
  });
  const tuningEpochs = tuned.epochs.length;
  const stopped =
    tuningEpochs === 0 ? "the pruned model, not fine-tuned" : `the best of ${plural(tuningEpochs, "epoch")}`;
  return { pruned, model: tuned.model, tuningEpochs, ...(tuned.ended === "aborted" ? { stopped } : {}) };
}

async function tuneGradually(workshop: Workshop, epochs: number): Promise<Outcome> {
  const { model, options, chosen, registry, collect, context } = workshop;
  const { curve } = options;
  const strategy = registry.strategy(chosen!.whole);
  const given = withData(model, await workshop.data());
  const tuned = await fit({
    ...(await fitting(workshop, epochs)),
    model: given,
    gradual: {
      ...options.gradually,
      ...(curve === undefined ? {} : { curve }),
      strategy,
      target: chosenTarget(options),
      collect,
    },
    ...show(workshop, "prune and tune", epochs),
  });
  const tuningEpochs = tuned.epochs.length;
  // Stopped before the target was reached: what there is is not pruned.
  if (tuned.model === given) throw context.signal.reason;
  const stopped = `the best of ${plural(tuningEpochs, "epoch")}, pruned to the target`;
  return {
    model: tuned.model,
    tuningEpochs,
    ...(tuned.target && { target: tuned.target }),
    ...(tuned.ended === "aborted" ? { stopped } : {}),
  };
}

async function tuneInStages(workshop: Workshop, epochs: number): Promise<Outcome> {
  const { options, context, model, chosen, registry, bar } = workshop;
  const { steps, curve, reconstruction } = options;
  const { stages: each, whole } = chosen!;
  const specs = steps === undefined ? each : Array.from({ length: steps }, () => whole);
  const targets = iterativeTargets(chosenTarget(options), specs.length, curve);
  let shown: ShownFit | undefined;
  const result = await pruneAndTune({
    ...(await fitting(workshop, epochs)),
    ...(await workshop.search(targets.at(-1)!)),
    model: withData(model, await workshop.data()),
    stages: specs.map((spec, i) => ({ strategy: registry.strategy(spec), target: targets[i]! })),
    tune: "each",
    ...(reconstruction === undefined ? {} : { reconstruct: refitting(options) }),
    onPlan: ({ target, strategy }, stage) => {
      const reached = target === undefined ? "" : `, ${target.metric} ${formatShare(target.achieved, 1)}`;
      bar.line(`stage ${stage + 1} of ${specs.length}: ${strategy}${reached}`);
      shown = show(workshop, "epoch", epochs);
    },
    onProgress: (progress) => shown?.onProgress(progress),
    onEpoch: (record) => shown?.onEpoch(record),
  });
  const last = result.stages.at(-1);
  // Stopped before anything was pruned: there is nothing to keep.
  if (last === undefined) throw context.signal.reason;
  const tuningEpochs = result.stages.reduce((sum, { tuned }) => sum + (tuned?.epochs.length ?? 0), 0);
  const aborted = result.stages.length < specs.length || last.tuned?.ended === "aborted";
  const stopped = `the model as it was in stage ${result.stages.length} of ${specs.length}`;
  return { pruned: last.pruned, model: result.model, tuningEpochs, ...(aborted ? { stopped } : {}) };
}

/** What every fit of a pruned model is given. */
async function fitting(workshop: Workshop, epochs: number) {
  const { options, context, model } = workshop;
  const { train, validation, name, checksum } = await workshop.data();
  return {
    backend: await workshop.backend(),
    train,
    validation,
    settings: { ...options.tuning, ...fitSettings(options, epochs) },
    data: { name, checksum },
    signal: context.signal,
    ...(options.distill === undefined ? {} : { teacher: { model, weight: options.distill } }),
  };
}

function show({ bar, context }: Workshop, title: string, epochs: number): ShownFit {
  return showFit(bar, context, { title, epochs });
}
