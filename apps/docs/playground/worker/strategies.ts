import type { Strategy, StrategySpec } from "@espalier/core";
import type { Registry } from "@espalier/recipe";
import { createPause } from "@espalier/training";

/** Strategies that are remembered: scores of a large model take much memory. */
const most = 2;

/** Strategies with the scores they already have: the same one again plans at once. */
export class RememberedStrategies {
  readonly #registry: Pick<Registry, "strategy">;
  /** The last one used stands last. */
  readonly #strategies = new Map<string, Strategy>();

  constructor(registry: Pick<Registry, "strategy">) {
    this.#registry = registry;
  }

  /** A strategy that lets messages in before each plan, which is promises alone. */
  get(spec: StrategySpec, signal: AbortSignal): Strategy {
    const key = JSON.stringify(spec);
    const strategy = this.#strategies.get(key) ?? this.#registry.strategy(spec);
    this.#strategies.delete(key);
    this.#strategies.set(key, strategy);
    for (const old of [...this.#strategies.keys()].slice(0, -most)) this.#strategies.delete(old);
    const pause = createPause();
    return {
      name: strategy.name,
      async plan(request) {
        await pause();
        signal.throwIfAborted();
        return strategy.plan(request);
      },
    };
  }

  /** To be called when the model or its data is another one. */
  clear(): void {
    this.#strategies.clear();
  }
}
