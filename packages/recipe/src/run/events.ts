import type { LayerError, PruningPlan, Tried } from "@espalier/core";
import type { EpochRecord, Progress } from "@espalier/training";
import type { Step } from "../format/recipe.ts";

/** The step that an event belongs to. */
interface At {
  /** Step, from 0. */
  readonly step: number;
}

/** An event of a run: plain data that can be sent to another thread or machine. */
export type RecipeEvent =
  /** A step starts. If it resumes its fit, the event names the last finished epoch. */
  | (At & {
      readonly kind: "started";
      readonly of: number;
      readonly does: Step["do"];
      readonly epoch: number;
    })
  /** The search for a target tried an amount. */
  | (At & { readonly kind: "tried"; readonly tried: Tried })
  /** A plan was made and will be carried out; for masks that tighten, the plan for their target. */
  | (At & { readonly kind: "planned"; readonly plan: PruningPlan })
  /** A layer was reconstructed. */
  | (At & {
      readonly kind: "layer";
      readonly layer: LayerError;
      readonly done: number;
      readonly total: number;
    })
  /** Progress of calibration, or of a fit over all its epochs. */
  | (At & { readonly kind: "progress"; readonly what: "calibrate" | "fit"; readonly progress: Progress })
  /** An epoch of a fit ended. */
  | (At & { readonly kind: "epoch"; readonly record: EpochRecord })
  /** A step ended. */
  | (At & { readonly kind: "done"; readonly outcome: StepOutcome });

/** The outcome of one step, as plain data. */
export interface StepOutcome {
  readonly step: number;
  readonly does: Step["do"];
  /** If the step pruned. */
  readonly plan?: PlanSummary;
  /** Layers that were reconstructed. */
  readonly layers?: readonly LayerError[];
  /** If the step trained. */
  readonly fit?: {
    readonly epochs: readonly EpochRecord[];
    readonly ended: "finished" | "early" | "aborted";
  };
  readonly seconds: number;
}

/** A plan without its changes in detail. */
export interface PlanSummary extends Omit<PruningPlan, "steps"> {
  /** Number of changes. */
  readonly steps: number;
}

/** Sums a plan up. */
export function summaryOf(plan: PruningPlan): PlanSummary {
  return { ...plan, steps: plan.steps.length };
}
