import {
  account,
  type Model,
  meet,
  prunableDimensions,
  prunableTensors,
  prune,
  type Strategy,
  type Target,
} from "@espalier/core";
import { checkStrategy, randomCollect } from "@espalier/core/testing";
import { decodeModel, encodeModel } from "@espalier/formats";
import { channel } from "@espalier/strategy-channel";
import { combined } from "@espalier/strategy-combined";
import { head } from "@espalier/strategy-head";
import { unstructured } from "@espalier/strategy-unstructured";
import { describe, expect, it } from "vitest";
import { full, smallModels } from "../../models/test/small-models.ts";

/** Each criterion with one scope. */
const rankings = [
  { criterion: "l1", scope: "local" },
  { criterion: "l2", scope: "global" },
  { criterion: "random", scope: "isomorphic" },
  { criterion: "wsap", scope: "isomorphic" },
  { criterion: "taylor", scope: "global" },
] as const;

interface Case {
  readonly name: string;
  readonly strategy: Strategy;
  readonly mayEmpty?: boolean;
}

const cases: readonly Case[] = [
  ...rankings.flatMap((ranking): Case[] => {
    const how = `${ranking.criterion} ${ranking.scope}`;
    return [
      { name: `unstructured, ${how}`, strategy: unstructured(ranking) },
      { name: `channel, ${how}`, strategy: channel(ranking) },
      { name: `head, ${how}`, strategy: head(ranking) },
    ];
  }),
  { name: "channel, widths of 2", strategy: channel({ multipleOf: 2 }) },
  { name: "head, whole branches", strategy: head({ keepAtLeast: 0 }), mayEmpty: true },
  { name: "unstructured, whole layers", strategy: unstructured({ leastDensity: 0 }), mayEmpty: true },
  { name: "combined", strategy: combined([head(), channel(), unstructured()]) },
  {
    name: "combined, branches first",
    strategy: combined([head({ keepAtLeast: 0 }), channel(), unstructured()]),
    mayEmpty: true,
  },
];

const stored = (model: Model) => decodeModel(encodeModel(model));

describe.each(Object.entries(smallModels))("on %s", (_name, architecture) => {
  const model = architecture(full).initialize(2);

  it.each(cases)("$name keeps every promise", async ({ strategy, mayEmpty = false }) => {
    const options = { amounts: [0.3, 0.8], stored, collect: randomCollect(), mayEmpty };
    expect((await checkStrategy(strategy, model, options)).applicable).toBe(true);
  });

  const targets: Target[] = [{ sparsity: 0.5 }, { parameters: 0.6 }, { flops: 0.6 }, { bytes: 0.7 }];
  it.each(targets)("combined meets %o within two per cent, or says why not", async (target) => {
    for (const strategy of [
      unstructured(),
      channel({ scope: "global" }),
      head(),
      combined([channel(), unstructured()]),
    ]) {
      const plan = await meet(target, strategy, { model });
      const [[metric, asked]] = Object.entries(target) as [[string, number]];
      const { parameters, flops, bytes } = account(prune(model, plan));
      const achieved = {
        sparsity: 1 - parameters.nonzero / model.dense.parameters.total,
        parameters: parameters.total / model.dense.parameters.total,
        flops: flops.effective / model.dense.flops.effective,
        bytes: bytes.stored / model.dense.bytes.dense,
      }[metric]!;
      expect(plan.target!.achieved).toBeCloseTo(achieved, 10);
      expect(plan.target!.met).toBe(Math.abs(achieved - asked) <= 0.02);
      if (!plan.target!.met) expect(plan.target!.why).toMatch(/ % of the (parameters|flops|bytes)/);
    }
  });

  it("widths stay multiples, and what is kept by name stays whole", async () => {
    const kept = prunableDimensions(model.dimensions).find(({ kind }) => kind === "channel")!;
    const before = new Map(prunableDimensions(model.dimensions).map(({ name, size }) => [name, size]));
    const plan = await channel({ multipleOf: 4, keep: [kept.name] }).plan({ model, amount: 0.6 });
    for (const { name, size } of prunableDimensions(prune(model, plan).dimensions)) {
      if (name === kept.name) expect(size).toBe(before.get(name));
      else expect(size % 4 === 0 || size === before.get(name)).toBe(true);
    }
    const weight = prunableTensors(model).at(-1)!;
    const masked = prune(model, await unstructured({ keep: [weight] }).plan({ model, amount: 0.6 }));
    expect(masked.masks.has(weight)).toBe(false);
  });
});
