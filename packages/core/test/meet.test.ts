import {
  account,
  digest,
  type LatencyMeter,
  type Model,
  meet,
  prunableTensors,
  prune,
  type Strategy,
  type Target,
  type Tried,
} from "@espalier/core";
import { randomStream } from "@espalier/core/graph";
import {
  findCriterion,
  maskWeakest,
  rankWeights,
  structuredStrategy,
  writePlan,
} from "@espalier/core/pruning";
import { drawEncoder, modelOf } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";

const model = modelOf(
  drawEncoder({ tokens: 4, input: 6, width: 16, feedForward: 32, heads: 4, layers: 2, output: 5 }),
  3,
);

/** Masks the smallest weights. */
const weights: Strategy = {
  name: "weights",
  async plan({ model, amount }) {
    const scores = await findCriterion("l1").weights({ model }, prunableTensors(model));
    const steps = maskWeakest(rankWeights(model, scores), {
      amount,
      scope: "global",
      leastDensity: 0.25,
    });
    return writePlan(model, "weights", steps);
  },
};
/** Four heads in two layers: eight plans in all. */
const heads = structuredStrategy({
  name: "heads",
  what: "head",
  kinds: ["head"],
  criterion: "l2",
  scope: "global",
  keepAtLeast: 1,
  multipleOf: 1,
  keep: [],
  seed: 0,
});

const left = (pruned: Model) => {
  const [now, { flops, bytes, parameters }] = [account(pruned), model.dense];
  return {
    flops: now.flops.effective / flops.effective,
    bytes: now.bytes.stored / bytes.dense,
    sparsity: 1 - now.parameters.nonzero / parameters.total,
  };
};

/** A clock that is right: time follows the FLOPs, above what every call costs. */
const time = (pruned: Model) => 0.2 + 0.8 * left(pruned).flops;

interface FakeMeter extends LatencyMeter {
  readonly asked: Model[];
}

function meter(share: (pruned: Model, call: number) => number, spread = 0.01): FakeMeter {
  const asked: Model[] = [];
  return {
    on: "nothing, batch 1",
    asked,
    async measure(pruned) {
      asked.push(pruned);
      return { share: share(pruned, asked.length), spread };
    },
  };
}

describe("several targets at once", () => {
  it.each<[Target, string]>([
    [{ flops: 0.3, bytes: 0.6 }, "flops"],
    [{ flops: 0.6, bytes: 0.3 }, "bytes"],
    [{ sparsity: 0.2, bytes: 0.9, flops: 0.4 }, "flops"],
  ])("%o are all met, by the least amount that does", async (target, decides) => {
    const plan = await meet(target, weights, { model });
    const reports = [plan.target!, ...plan.target!.others!];
    expect(reports.map(({ metric }) => metric).sort()).toEqual(Object.keys(target).sort());
    expect(plan.target!.metric).toBe(decides);
    for (const { metric, asked, achieved, met } of reports) {
      expect(met).toBe(true);
      expect(achieved).toBeCloseTo(left(prune(model, plan))[metric as "flops"], 10);
      if (metric === "sparsity") expect(achieved).toBeGreaterThan(asked - 0.001);
      else expect(achieved).toBeLessThan(asked + 0.001);
    }
    expect(plan.target!.achieved).toBeCloseTo(plan.target!.asked, 2);
  });

  it("of which one cannot be met are not met, and that one says why", async () => {
    const { target } = await meet({ sparsity: 0.1, flops: 0.2 }, heads, { model });
    expect(target).toMatchObject({ metric: "flops", met: false });
    expect(target!.why).toMatch(/^with everything that "heads" may remove, \d+\.\d % of the flops remain$/);
    expect(target!.others).toMatchObject([{ metric: "sparsity", met: true }]);
  });

  it("must be known, and within their bounds", async () => {
    const asked = (target: object) => meet(target as Target, weights, { model });
    await expect(asked({})).rejects.toThrow("a target names one or more of sparsity,");
    await expect(asked({ flops: 0.5, speed: 2 })).rejects.toThrow("latency; given: speed.");
    await expect(asked({ flops: 0.5, bytes: 2 })).rejects.toThrow("target bytes 2 is outside (0, 1].");
    await expect(asked({ latency: 0 })).rejects.toThrow("target latency 0 is outside (0, 1].");
  });
});

describe("a latency target", () => {
  it("is found by measuring, each try on record, and what hits it is timed twice", async () => {
    const fake = meter(time);
    const seen: Tried[] = [];
    const plan = await meet({ latency: 0.5 }, weights, { model, latency: fake, onTry: (t) => seen.push(t) });
    const { metric, achieved, met, measured } = plan.target!;
    expect([metric, met]).toEqual(["latency", true]);
    expect(achieved).toBeCloseTo(time(prune(model, plan)), 10);
    expect(Math.abs(achieved - 0.5)).toBeLessThanOrEqual(0.02);
    const { tries } = measured!;
    expect(measured).toMatchObject({ on: "nothing, batch 1", spread: 0.01 });
    expect(tries).toHaveLength(fake.asked.length);
    expect(tries.map(({ share }) => share)).toEqual(fake.asked.map(time));
    expect(tries.at(-1)).toEqual(tries.at(-2));
    expect(seen.filter(({ latency }) => latency !== undefined)).toHaveLength(tries.length);
    for (const { progress } of seen) expect(progress).toBeLessThanOrEqual(1);
  });

  it("is met as near as times spread, under noise of any kind", async () => {
    for (let seed = 0; seed < 20; seed++) {
      const random = randomStream(seed, "noise");
      const fake = meter((pruned) => time(pruned) + 0.08 * (random() - 0.5), 0.04);
      const plan = await meet({ latency: 0.6 }, weights, { model, latency: fake });
      expect(plan.target!.met).toBe(true);
      // Half a tolerance for the search, and what noise adds.
      expect(Math.abs(time(prune(model, plan)) - 0.6)).toBeLessThanOrEqual(0.05 + 0.04);
    }
  });

  it("is met where it is missed by no more than times spread", async () => {
    const steps = (spread: number) => meter((pruned) => (left(pruned).flops > 0.9 ? 1 : 0.6), spread);
    const met = async (spread: number) =>
      (await meet({ latency: 0.75 }, heads, { model, latency: steps(spread) })).target!.met;
    expect([await met(0.1), await met(0.2)]).toEqual([false, true]);
  });

  it("is not met by one lucky moment", async () => {
    // The third call, for the first guess, seems to be just right.
    const fake = meter((pruned, call) => (call === 3 ? 0.3 : time(pruned)));
    const plan = await meet({ latency: 0.3 }, weights, { model, latency: fake });
    expect(plan.target!.met).toBe(true);
    expect(Math.abs(time(prune(model, plan)) - 0.3)).toBeLessThanOrEqual(0.05);
  });

  it("beside what is counted is met by the larger of the two amounts", async () => {
    const counted = await meet({ flops: 0.25, latency: 0.8 }, weights, { model, latency: meter(time) });
    expect(counted.target).toMatchObject({
      metric: "flops",
      met: true,
      others: [{ metric: "latency", met: true }],
    });
    expect(counted.target!.others![0]!.measured!.tries).toHaveLength(1);
    const timed = await meet({ flops: 0.9, latency: 0.5 }, weights, { model, latency: meter(time) });
    expect(timed.target).toMatchObject({
      metric: "latency",
      met: true,
      others: [{ metric: "flops", met: true }],
    });
  });

  it("that is out of reach says how much time remains, and where", async () => {
    const plan = await meet({ latency: 0.1 }, weights, { model, latency: meter(time) });
    expect(plan.target!.met).toBe(false);
    expect(plan.target!.why).toMatch(
      /^with everything that "weights" may remove, 2\d\.\d % of the time on nothing, batch 1 remain$/,
    );
    const stays = await meet({ latency: 0.5 }, weights, { model, latency: meter(() => 1) });
    expect(stays.target!.measured!.tries).toHaveLength(2);
  });

  it("times no plan again that another amount had given", async () => {
    const fake = meter((pruned) => (left(pruned).flops > 0.9 ? 1 : 0.4));
    const { target } = await meet({ latency: 0.7 }, heads, { model, latency: fake });
    expect(new Set(fake.asked.map(digest)).size).toBe(fake.asked.length);
    expect(target).toMatchObject({ met: false });
    expect(target!.why).toMatch(
      /^"heads" removes too much at a time to come within 5 % of it; nearest: .* remain$/,
    );
  });

  it("needs a meter, and stops where the signal says so", async () => {
    await expect(meet({ latency: 0.5 }, weights, { model })).rejects.toThrow(/needs a meter/);
    const stop = new AbortController();
    const fake = meter((_, call) => {
      if (call === 2) stop.abort();
      return call === 2 ? 0.2 : 1;
    });
    const request = { model, latency: fake, signal: stop.signal };
    await expect(meet({ latency: 0.5 }, weights, request)).rejects.toThrow(/abort/i);
    expect(fake.asked).toHaveLength(2);
  });
});
