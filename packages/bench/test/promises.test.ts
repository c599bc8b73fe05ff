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
  /** Which dimensions it needs, where it is no use without. */
  readonly needs?: "head" | "channel";
  readonly mayEmpty?: boolean;
}

const cases: readonly Case[] = [
  ...rankings.flatMap((ranking): Case[] => {
    const how = `${ranking.criterion} ${ranking.scope}`;
    return [
      { name: `unstructured, ${how}`, strategy: unstructured(ranking) },
      { name: `channel, ${how}`, strategy: channel(ranking), needs: "channel" },
      { name: `head, ${how}`, strategy: head(ranking), needs: "head" },
    ];
  }),
  { name: "channel, widths of 2", strategy: channel({ multipleOf: 2 }), needs: "channel" },
  { name: "head, whole branches", strategy: head({ keepAtLeast: 0 }), needs: "head", mayEmpty: true },
  { name: "unstructured, whole layers", strategy: unstructured({ leastDensity: 0 }), mayEmpty: true },
  { name: "combined", strategy: combined([head(), channel(), unstructured()]) },
  {
    name: "combined, branches first",
    strategy: combined([head({ keepAtLeast: 0 }), channel(), unstructured()]),
    mayEmpty: true,
  },
];

/** Models without heads, or without any width, that can be removed; and what the plan then says. */
const frozen = (what: "head" | "channel") =>
  what === "head" ? ["Informer", "FEDformer", "DLinear"] : ["DLinear"];
const reasons: Readonly<Record<string, RegExp>> = {
  Informer: /query_projection.*a reshape mixes it into an axis that is fixed/,
  FEDformer: /weights1\[0\]: a reshape mixes it into an axis that is fixed/,
  DLinear: /the model has none|reaches the output/,
};

const stored = (model: Model) => decodeModel(encodeModel(model));

describe.each(Object.entries(smallModels))("on %s", (name, architecture) => {
  const model = architecture(full).initialize(2);

  it.each(cases)("$name keeps every promise", async ({ strategy, needs, mayEmpty = false }) => {
    const options = { amounts: [0.3, 0.8], stored, collect: randomCollect(), mayEmpty };
    const applicable = needs === undefined || !frozen(needs).includes(name);
    expect((await checkStrategy(strategy, model, options)).applicable).toBe(applicable);
    if (applicable) return;
    const { steps, notes } = await strategy.plan({ model, amount: 0.5, collect: randomCollect() });
    expect(steps).toEqual([]);
    expect(notes.join()).toMatch(reasons[name]!);
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
      const why = plan.notes.length > 0 ? / can be removed: / : / % of the (parameters|flops|bytes)/;
      if (!plan.target!.met) expect(plan.target!.why).toMatch(why);
    }
  });

  it.skipIf(frozen("channel").includes(name))(
    "widths stay multiples, and what is kept by name stays whole",
    async () => {
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
    },
  );
});
