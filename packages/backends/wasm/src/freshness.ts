import { EspalierError, type Graph } from "@espalier/core/inference";
import type { Plan } from "./compile/plan.ts";
import type { WasmState } from "./state.ts";

/** The versions of a state's tensors for which a plan has been made and checked, and its fixed part computed. */
export class Freshness {
  readonly #plan: Plan;
  readonly #graph: Graph;
  readonly #state: WasmState;
  readonly #masks = new Map<string, number>();
  readonly #finite = new Map<string, number>();
  readonly #fixed = new Map<string, number>();
  #generation = -1;

  constructor(plan: Plan, graph: Graph, state: WasmState) {
    this.#plan = plan;
    this.#graph = graph;
    this.#state = state;
    for (const mask of plan.masks) this.#masks.set(mask, state.version(mask));
  }

  /** Whether nothing was written since `markSeen`. */
  get isSeen(): boolean {
    return this.#generation === this.#state.generation;
  }

  markSeen(): void {
    this.#generation = this.#state.generation;
  }

  /** False once a mask was written: then other gradients are wanted, and the plan has to be made anew. */
  get isCurrent(): boolean {
    return [...this.#masks].every(([mask, version]) => version === this.#state.version(mask));
  }

  /** Whether a tensor that fixed steps may read was written since this was last asked. */
  fixedChanged(): boolean {
    if (this.#plan.steps.fixed.length === 0) return false;
    let changed = false;
    for (const { name } of this.#graph.tensors) {
      if (this.#plan.updated.has(name)) continue;
      const version = this.#state.version(name);
      if (this.#fixed.get(name) !== version) changed = true;
      this.#fixed.set(name, version);
    }
    return changed;
  }

  /**
   * Checks parameters that were written from outside (the loss reveals what training does to them); `all` is for those
   * that the plan has never seen. Throws an EspalierError.
   */
  checkFinite({ all = false } = {}): void {
    const { heap } = this.#state;
    for (const { name, role } of this.#graph.tensors) {
      if (role !== "trainable" || (!all && this.#plan.updated.has(name))) continue;
      const slot = this.#state.slot(name);
      if (this.#finite.get(name) === slot.version) continue;
      const at = heap.kernels.firstNonFinite(slot.length, slot.address);
      if (at >= 0) {
        throw new EspalierError(
          `tensor "${name}" holds ${heap.floats(slot.address, slot.length)[at]} at position ${at}, but a weight must be a finite number. Was the model trained with too high a learning rate?`,
        );
      }
      this.#finite.set(name, slot.version);
    }
  }
}
