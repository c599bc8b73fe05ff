import type { LayerError, PruningPlan, Tried } from "@espalier/core";
import type { EpochRecord, Progress } from "@espalier/training";
import type { Step } from "../format/recipe.ts";

/** Where in the recipe an event happened. */
interface At {
  /** Step, from 0. */
  readonly step: number;
}

/** Something that happened in a run: plain data that can be sent to another thread or machine. */
export type RecipeEvent =
  /** A step starts; one that goes on in the middle of its fit says after which epoch. */
  | (At & {
      readonly kind: "started";
      readonly of: number;
      readonly does: Step["do"];
      readonly epoch: number;
    })
  /** The search for a target tried an amount. */
  | (At & { readonly kind: "tried"; readonly tried: Tried })
  /** A plan was made, and will be carried out; of masks that tighten, the plan for their target. */
  | (At & { readonly kind: "planned"; readonly plan: PruningPlan })
  /** A layer was reconstructed. */
  | (At & {
      readonly kind: "layer";
      readonly layer: LayerError;
      readonly done: number;
      readonly total: number;
    })
  /** Calibration or an epoch went on. */
  | (At & { readonly kind: "progress"; readonly what: "calibrate" | "fit"; readonly progress: Progress })
  /** An epoch of a fit ended. */
  | (At & { readonly kind: "epoch"; readonly record: EpochRecord })
  /** A step ended. */
  | (At & { readonly kind: "done"; readonly outcome: StepOutcome });

/** What one step did: plain data. */
export interface StepOutcome {
  readonly step: number;
  readonly does: Step["do"];
  /** Of a step that pruned. */
  readonly plan?: PlanSummary;
  /** Layers that were reconstructed. */
  readonly layers?: readonly LayerError[];
  /** Of a step that trained. */
  readonly fit?: {
    readonly epochs: readonly EpochRecord[];
    readonly ended: "finished" | "early" | "aborted";
  };
  readonly seconds: number;
}

/** A plan without what it does in detail. */
export interface PlanSummary extends Omit<PruningPlan, "steps"> {
  /** How many changes it makes. */
  readonly steps: number;
}

/** Sums a plan up. */
export function summaryOf(plan: PruningPlan): PlanSummary {
  return { ...plan, steps: plan.steps.length };
}
