import {
  EspalierError,
  type Model,
  type Step,
  type Strategy,
  type StrategyPlugin,
  type StrategySpec,
} from "@espalier/core";
import { readBy } from "@espalier/core/documents";
import { applySteps, checkAmount, writePlan } from "@espalier/core/pruning";
import { z } from "zod";

const schema = z.strictObject({
  weights: z
    .array(z.number().positive())
    .optional()
    .describe("share of the amount for each stage, in their order; equal by default"),
});

/** Options of combined pruning. `weights` distributes the amount over the stages, in their order; equally by default. */
export type CombinedOptions = z.input<typeof schema>;

/**
 * Several strategies in sequence as one plan, without training in between: each stage plans on the model that the
 * previous one left. At amount a, stage i with weight wᵢ works at 1 − (1 − a)^(wᵢ ÷ Σw): together the stages keep the
 * share 1 − a.
 */
export function combined(stages: readonly Strategy[], options: CombinedOptions = {}): Strategy {
  const { weights = stages.map(() => 1) } = readBy(schema, options, 'strategy "combined"');
  if (stages.length === 0) throw new EspalierError("combined needs at least one strategy.");
  if (weights.length !== stages.length) {
    throw new EspalierError(
      `combined has ${stages.length} strategies and ${weights.length} weights; give one weight for each.`,
    );
  }
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return {
    name: `combined(${stages.map(({ name }) => name).join(", ")})`,
    async plan(request) {
      checkAmount(request.amount);
      let model: Model = request.model;
      const steps: Step[] = [];
      const notes: string[] = [];
      for (const [i, stage] of stages.entries()) {
        const amount = -Math.expm1((Math.log1p(-request.amount) * weights[i]!) / total);
        const plan = await stage.plan({ ...request, model, amount: Math.max(0, amount) });
        steps.push(...plan.steps);
        notes.push(...plan.notes.map((note) => `${stage.name}: ${note}`));
        model = applySteps(model, plan.steps);
      }
      return writePlan(request.model, this.name, steps, notes);
    },
  };
}

const pluginSchema = z.strictObject({
  stages: z
    .array(z.looseObject({ use: z.string() }))
    .nonempty()
    .describe("the strategies in order, each as { use: name, ...options }"),
  ...schema.shape,
});

/** Combined pruning by name, for commands, recipes and sweeps. */
export const plugin: StrategyPlugin = {
  name: "combined",
  description: "several strategies in sequence, such as heads, then channels, then weights",
  schema: pluginSchema,
  create(options, resolve) {
    const { stages, ...own } = readBy(pluginSchema, options, 'strategy "combined"');
    const made = stages.map((stage) => resolve(stage as StrategySpec));
    return combined(made, own);
  },
};
