import type { Backend, Model, Program, State, Tensors } from "@espalier/core";
import type { GradualSchedule } from "./gradual.ts";
import { MovingMasks } from "./moving-masks.ts";
import type { RegrowSettings } from "./options.ts";
import { exchangedAt, regrown, regrowsAt } from "./regrow.ts";
import { drawLossGradients, gradientName, type LossOptions } from "./training-step.ts";

export interface MaskChangesRequest {
  /** The model in training: with a mask on every tensor that may get one. */
  readonly model: Model;
  readonly backend: Backend;
  /** State of the training. */
  readonly state: State;
  readonly gradual: GradualSchedule | undefined;
  readonly regrow: RegrowSettings | undefined;
  /** Options that the training step was drawn with. */
  readonly loss: LossOptions;
}

/** All changes of masks between the steps of a training: they tighten, or regrow, or both. */
export class MaskChanges {
  readonly masks: MovingMasks;
  readonly #gradual: GradualSchedule | undefined;
  readonly #regrow: { readonly settings: RegrowSettings; readonly program: Program } | undefined;

  private constructor(
    masks: MovingMasks,
    gradual: GradualSchedule | undefined,
    regrow: { readonly settings: RegrowSettings; readonly program: Program } | undefined,
  ) {
    this.masks = masks;
    this.#gradual = gradual;
    this.#regrow = regrow;
  }

  /** Undefined if masks do not change. */
  static async create(request: MaskChangesRequest): Promise<MaskChanges | undefined> {
    const { model, backend, state, gradual, regrow: settings, loss } = request;
    if (gradual === undefined && settings === undefined) return undefined;
    const masks = new MovingMasks(model, state);
    if (settings === undefined) return new MaskChanges(masks, gradual, undefined);
    const program = await backend.compile(drawLossGradients(model, masks.tensors, loss), { state });
    return new MaskChanges(masks, gradual, { settings, program });
  }

  /** The step, from 0, from which on the model has reached its target. */
  reachedAt(total: number): number {
    return this.#gradual?.lastStep(total) ?? 0;
  }

  /** Changes masks if it is time to. `inputs`: the step's batch. */
  async before(step: number, total: number, inputs: Tensors): Promise<void> {
    if (this.#gradual?.changesAt(step, total)) {
      const model = await this.masks.current();
      await this.masks.replace(model, await this.#gradual.masksAt(step, total, model));
    }
    if (this.#regrow !== undefined && regrowsAt(step, total, this.#regrow.settings)) {
      const { settings, program } = this.#regrow;
      const given = new Map([...inputs].filter(([name]) => name !== "learningRate"));
      const outputs = await program.run(given);
      const gradients = new Map(
        this.masks.tensors.flatMap((name) => {
          const gradient = outputs.get(gradientName(name));
          return gradient === undefined ? [] : [[name, gradient] as const];
        }),
      );
      const model = await this.masks.current();
      await this.masks.replace(model, regrown(model, gradients, exchangedAt(step, total, settings)));
    }
  }

  dispose(): void {
    this.#regrow?.program.dispose();
  }
}
