import { type Backend, type Model, prune } from "@espalier/core";
import type { WindowSet } from "@espalier/datasets";
import type { RecipeEvent } from "@espalier/recipe";
import { evaluate } from "@espalier/training";
import type { TuningCurve } from "../protocol.ts";
import type { Work } from "./work.ts";

/** Validation errors of a model that is pruned and fine-tuned, told as they come. */
export class CurveFollower {
  readonly #dense: Model;
  readonly #epochs: number;
  readonly #measuring: { readonly backend: Backend; readonly windows: WindowSet };
  readonly #work: Work;
  #curve: TuningCurve | undefined;
  #started: number | undefined;

  constructor(
    dense: Model,
    epochs: number,
    measuring: { readonly backend: Backend; readonly windows: WindowSet },
    work: Work,
  ) {
    this.#dense = dense;
    this.#epochs = epochs;
    this.#measuring = measuring;
    this.#work = work;
  }

  /** The curve once the model was pruned. */
  get curve(): TuningCurve {
    return this.#curve!;
  }

  async follow(event: RecipeEvent): Promise<void> {
    if (event.kind === "planned") {
      const errors = [await this.#error(prune(this.#dense, event.plan))];
      this.#curve = { dense: await this.#error(this.#dense), errors, best: 0, epochs: this.#epochs };
    }
    if (this.#curve === undefined) return;
    if (event.kind === "epoch") {
      const { validation, best, epoch } = event.record;
      const errors = [...this.#curve.errors, validation.mse];
      this.#curve = { ...this.#curve, errors, best: best ? epoch : this.#curve.best };
    }
    if (event.kind === "progress" && event.what === "fit") this.#tell(this.#curve, event.progress);
  }

  #tell(curve: TuningCurve, { done, total }: { readonly done: number; readonly total: number }): void {
    const epochs = curve.errors.length - 1;
    const share = done / total;
    this.#started ??= performance.now();
    const spent = (performance.now() - this.#started) / 1000;
    this.#work.onProgress({
      what: `Fine-tuning, epoch ${Math.min(epochs + 1, this.#epochs)} of ${this.#epochs}`,
      share,
      remaining: (spent * (1 - share)) / share,
      curve,
    });
  }

  async #error(model: Model): Promise<number> {
    const options = { ...this.#measuring, batchSize: 32, signal: this.#work.signal };
    return (await evaluate({ ...options, model })).mse;
  }
}
