import { wasm } from "@espalier/backend-wasm";
import { type Backend, meet, prune } from "@espalier/core";
import type { Graph } from "@espalier/core/graph";
import { drawEncoder, modelOf } from "@espalier/core/testing";
import { channel } from "@espalier/strategy-channel";
import { describe, expect, it } from "vitest";
import { latencyMeter } from "../src/index.ts";

const model = modelOf(drawEncoder({ width: 16, feedForward: 32, heads: 4 }), 2);
const quick = { time: 7, samples: 7 };

/** A backend that notes what is compiled, whose turn it is, and what is given back. */
function watched(backend: Backend) {
  const graphs: Graph[] = [];
  const turns: number[] = [];
  let disposed = 0;
  const seen: Backend = {
    ...backend,
    availability: () => backend.availability(),
    createState: (tensors) => backend.createState(tensors),
    async compile(graph, options) {
      const program = await backend.compile(graph, options);
      const number = graphs.push(graph) - 1;
      return {
        run(inputs, options) {
          // What is loaded first is slow, whatever else this machine does.
          for (const end = performance.now() + 2; number === 0 && performance.now() < end; );
          if (turns.at(-1) !== number) turns.push(number);
          return program.run(inputs, options);
        },
        dispose() {
          disposed++;
          program.dispose();
        },
        [Symbol.dispose]: () => program.dispose(),
      };
    },
  };
  return { seen, graphs, turns, disposed: () => disposed };
}

describe("a latency meter", () => {
  it("lets the dense model, loaded once, take turns with each candidate", async () => {
    const { seen, graphs, turns, disposed } = watched(wasm());
    const meter = await latencyMeter(model, { backend: seen, batch: 2, ...quick });
    expect(meter.on).toBe("wasm, batch 2");
    const candidates = [0.3, 0.6].map((amount) => channel().plan({ model, amount }));
    const plans = await Promise.all(candidates);
    for (const plan of plans) {
      const { share, spread, waited = 0 } = await meter.measure(prune(model, plan));
      expect(waited).toBeGreaterThanOrEqual(0);
      expect(waited).toBeLessThan(1);
      expect(share).toBeGreaterThan(0);
      expect(share).toBeLessThan(1);
      expect(spread).toBeGreaterThanOrEqual(0);
    }
    expect(graphs).toHaveLength(3);
    expect(graphs[0]).toBe(model.graph);
    // A warm-up, then seven rounds forwards and backwards in turn: who ends a round begins the next.
    expect(turns.join("")).toBe("01".repeat(5) + "02".repeat(5));
    expect(disposed()).toBe(2);
    meter.dispose();
    await Promise.resolve();
    expect(disposed()).toBe(3);
  });

  it("meets a target on wasm, with every try on record", async () => {
    const latency = await latencyMeter(model, { backend: wasm(), ...quick });
    const { target } = await meet({ latency: 0.8 }, channel(), { model, latency });
    latency.dispose();
    expect(target).toMatchObject({ metric: "latency", asked: 0.8, measured: { on: "wasm, batch 1" } });
    const { tries, spread } = target!.measured!;
    expect(tries.length).toBeGreaterThan(0);
    expect(spread).toBeGreaterThanOrEqual(0);
    for (const { amount, share } of tries) {
      expect(amount).toBeGreaterThanOrEqual(0);
      expect(share).toBeGreaterThan(0);
    }
    // How long anything took is this machine's: whether the target is met follows from what was measured.
    const allowed = Math.max(0.05, spread);
    expect(target!.met).toBe(Math.abs(target!.achieved - 0.8) <= allowed);
  });

  it("takes no times where a program stands in for a GPU, or nothing is there", async () => {
    const backend = (availability: object): Backend => ({
      ...wasm(),
      name: "webgpu",
      availability: async () => ({ available: true, detail: "SwiftShader", ...availability }),
    });
    await expect(latencyMeter(model, { backend: backend({ software: true }) })).rejects.toThrow(
      /^backend webgpu runs on SwiftShader: its times say nothing about a GPU, so it is not timed\./,
    );
    await expect(latencyMeter(model, { backend: backend({ available: false }) })).rejects.toThrow(
      /^backend webgpu is not available: SwiftShader/,
    );
  });
});
