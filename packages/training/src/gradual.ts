import {
  type Collect,
  EspalierError,
  keptCount,
  type Mask,
  type Model,
  meet,
  type PruningPlan,
  prunableTensors,
  type Strategy,
  type Target,
  type TargetReport,
} from "@espalier/core";
import { readBy } from "@espalier/core/documents";
import { z } from "zod";
import { type Curve, curveNames, leftAt } from "./curve.ts";
import { tightened } from "./moving-masks.ts";

/** Pruning during training (Zhu and Gupta, 2017): masks tighten between steps until a target is reached. */
export interface GradualPruning {
  /** A strategy that masks weights. */
  readonly strategy: Strategy;
  /** Relative to the model before any pruning. */
  readonly target: Target;
  /** `cubic` by default. */
  readonly curve?: Curve | undefined;
  /** Share of all steps after which the target is reached; 0.6 by default. */
  readonly until?: number | undefined;
  /** Steps between two changes; 50 by default. */
  readonly every?: number | undefined;
  /** Needed by criteria that use data. */
  readonly collect?: Collect;
  /** Called with the plan for the whole target before the first step; may throw. */
  readonly onPlan?: (plan: PruningPlan) => void | Promise<void>;
}

/** Gradual pruning with all settings filled in. */
export interface GradualSettings {
  readonly strategy: string;
  readonly target: Target;
  readonly curve: Curve;
  readonly until: number;
  readonly every: number;
}

/** How masks tighten, with bounds and defaults. */
export const gradualSchema = z.strictObject({
  curve: z.enum(curveNames).default("cubic"),
  until: z.number().gt(0).lt(1).default(0.6),
  every: z.int().min(1).default(50),
});

/** Decides, step by step, which masks a model in training gets next. */
export class GradualSchedule {
  readonly settings: GradualSettings;
  readonly #pruning: GradualPruning;
  readonly #signal: AbortSignal | undefined;
  /** Amounts of the strategy: at the start, and at the target. */
  readonly #amounts: { readonly from: number; readonly to: number };
  readonly target: TargetReport;

  private constructor(
    pruning: GradualPruning,
    settings: GradualSettings,
    amounts: { readonly from: number; readonly to: number },
    target: TargetReport,
    signal: AbortSignal | undefined,
  ) {
    this.#pruning = pruning;
    this.settings = settings;
    this.#amounts = amounts;
    this.target = target;
    this.#signal = signal;
  }

  /** Finds the amount to remove. Throws an EspalierError for a strategy that does more than mask. */
  static async create(pruning: GradualPruning, model: Model, signal?: AbortSignal): Promise<GradualSchedule> {
    const settings = settingsOf(pruning);
    const amounts = new Map<PruningPlan["steps"], number>();
    const { strategy } = pruning;
    const noting: Strategy = {
      name: strategy.name,
      async plan(request) {
        const plan = await strategy.plan(request);
        amounts.set(plan.steps, request.amount);
        return plan;
      },
    };
    const plan = await meet(pruning.target, noting, { model, ...contextOf(pruning, signal) });
    masksOf(plan, model);
    await pruning.onPlan?.(plan);
    const names = prunableTensors(model);
    const all = names.reduce((n, name) => n + model.tensors.get(name)!.data.length, 0);
    const kept = names.reduce((n, name) => {
      const mask = model.masks.get(name);
      return n + (mask === undefined ? model.tensors.get(name)!.data.length : keptCount(mask));
    }, 0);
    const range = { from: 1 - kept / all, to: amounts.get(plan.steps)! };
    return new GradualSchedule(pruning, settings, range, plan.target!, signal);
  }

  /** The step, from 0, before which the last change is made. */
  lastStep(total: number): number {
    return Math.min(Math.ceil(this.settings.until * total), total - 1);
  }

  /** Whether masks change before a step. */
  changesAt(step: number, total: number): boolean {
    const last = this.lastStep(total);
    return step === last || (step < last && step % this.settings.every === 0);
  }

  /** Masks for the model as it is at a step. */
  async masksAt(step: number, total: number, model: Model): Promise<Map<string, Mask>> {
    const { strategy, target } = this.#pruning;
    const context = contextOf(this.#pruning, this.#signal);
    const last = this.lastStep(total);
    if (step >= last) return masksOf(await meet(target, strategy, { model, ...context }), model);
    const { from, to } = this.#amounts;
    const changes = Math.ceil(last / this.settings.every);
    const progress = (Math.floor(step / this.settings.every) + 1) / (changes + 1);
    const left = (1 - to) / (1 - from);
    const amount = 1 - (1 - from) * leftAt(this.settings.curve, left, progress);
    return masksOf(
      await strategy.plan({ model, amount: Math.min(Math.max(0, amount), to), ...context }),
      model,
    );
  }
}

/** Checks the settings of gradual pruning. Throws an EspalierError that names the setting. */
export function settingsOf({ strategy, target, curve, until, every }: GradualPruning): GradualSettings {
  return {
    strategy: strategy.name,
    target,
    ...readBy(gradualSchema, { curve, until, every }, "gradual pruning"),
  };
}

function contextOf({ collect }: GradualPruning, signal: AbortSignal | undefined) {
  return { ...(collect === undefined ? {} : { collect }), ...(signal === undefined ? {} : { signal }) };
}

/** A plan's masks, combined with those of the model. */
function masksOf(plan: PruningPlan, model: Model): Map<string, Mask> {
  const masks = new Map<string, Mask>();
  for (const step of plan.steps) {
    if (step.do !== "mask") {
      throw new EspalierError(
        `strategy "${plan.strategy}" removes parts of the model, which gradual pruning cannot: it only masks weights. Prune in steps instead.`,
      );
    }
    masks.set(step.parameter, tightened(new Map([...model.masks, ...masks]), step.parameter, step.keep));
  }
  return masks;
}
