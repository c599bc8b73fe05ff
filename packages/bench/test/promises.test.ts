import {
  account,
  criterionNames,
  type Model,
  meet,
  prunableDimensions,
  prunableTensors,
  prune,
  type Strategy,
  type Target,
} from "@espalier/core";
import { randomStream } from "@espalier/core/graph";
import {
  checkStrategy,
  chooseNetwork,
  chooserOf,
  drawNetwork,
  modelOf,
  randomCollect,
} from "@espalier/core/testing";
import { decodeModel, encodeModel } from "@espalier/formats";
import { smallModels } from "@espalier/models/testing";
import { channel } from "@espalier/strategy-channel";
import { combined } from "@espalier/strategy-combined";
import { depth } from "@espalier/strategy-depth";
import { head } from "@espalier/strategy-head";
import { unstructured } from "@espalier/strategy-unstructured";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { slimming } from "../../../examples/custom-strategy/src/index.ts";

const scopes = ["local", "global", "isomorphic"] as const;

interface Case {
  readonly name: string;
  readonly strategy: Strategy;
  /** Which dimensions it needs, where it is no use without. */
  readonly needs?: keyof typeof without;
  readonly mayEmpty?: boolean;
}

/** Every criterion with every strategy, scopes in turn. */
const rankings = criterionNames.flatMap((criterion, i): Case[] => {
  const scope = scopes[i % scopes.length]!;
  const how = `${criterion} ${scope}`;
  return [
    { name: `unstructured, ${how}`, strategy: unstructured({ criterion, scope }) },
    { name: `channel, ${how}`, strategy: channel({ criterion, scope }), needs: "channel" },
    { name: `head, ${how}`, strategy: head({ criterion, scope }), needs: "head" },
  ];
});

const cases: readonly Case[] = [
  { name: "unstructured", strategy: unstructured() },
  { name: "unstructured, row by row", strategy: unstructured({ scope: "row", criterion: "wanda" }) },
  { name: "unstructured, blocks", strategy: unstructured({ structure: "2x3" }) },
  { name: "unstructured, whole layers", strategy: unstructured({ leastDensity: 0 }), mayEmpty: true },
  { name: "channel", strategy: channel(), needs: "channel" },
  {
    name: "channel, widths of 2",
    strategy: channel({ multipleOf: 2, criterion: "taylor" }),
    needs: "channel",
  },
  { name: "head", strategy: head(), needs: "head" },
  { name: "head, whole branches", strategy: head({ keepAtLeast: 0 }), needs: "head", mayEmpty: true },
  { name: "depth", strategy: depth(), needs: "module", mayEmpty: true },
  {
    name: "depth, layer by layer, down to none",
    strategy: depth({ unit: "layer", criterion: "taylor", keepAtLeast: 0 }),
    needs: "module",
    mayEmpty: true,
  },
  { name: "slimming, written outside", strategy: slimming(), needs: "channel" },
  { name: "combined", strategy: combined([head(), channel(), unstructured()]) },
  {
    name: "combined, branches first",
    strategy: combined([head({ keepAtLeast: 0 }), channel(), unstructured()]),
    mayEmpty: true,
  },
  {
    name: "combined, modules between",
    strategy: combined([head(), depth({ keepAtLeast: 0 }), channel(), unstructured()]),
    mayEmpty: true,
  },
];

/** Models without heads, or without any width, that can be removed; and what the plan then says. */
const frozen = (what: keyof typeof without): readonly string[] => without[what];
const without = {
  head: ["Informer", "FEDformer", "DLinear"],
  channel: ["DLinear"],
  // No block of the encoder reaches the output as it was published.
  module: ["DLinear", "SedimarkCrossformer, asPublished"],
};
const reasons: Readonly<Record<string, RegExp>> = {
  Informer: /query_projection.*a reshape mixes it into an axis that is fixed/,
  FEDformer: /weights1\[0\]: a reshape mixes it into an axis that is fixed/,
  "SedimarkCrossformer, asPublished":
    /no attention or feed-forward module can be removed: the model has none/,
  DLinear: /the model has none|reaches the output/,
};

/** Models that take little time: every ranking is tried on these, and every target. */
const quick = new Set(["PatchTST", "iTransformer"]);

/** A model as its file gives it back; the file itself must be the same again, bit for bit. */
function stored(model: Model): Model {
  const file = encodeModel(model);
  const back = decodeModel(file);
  expect(encodeModel(back)).toEqual(file);
  return back;
}

describe.each([...smallModels()])("on %s", (name, architecture) => {
  const model = architecture.initialize(2);

  const tried = quick.has(name) ? [...cases, ...rankings] : cases;
  it.each(tried)("$name keeps every promise", async ({ strategy, needs, mayEmpty = false }) => {
    const options = { amounts: [0.3, 0.8], stored, collect: randomCollect(), mayEmpty };
    const applicable = needs === undefined || !frozen(needs).includes(name);
    expect((await checkStrategy(strategy, model, options)).applicable).toBe(applicable);
    if (applicable) return;
    const { steps, notes } = await strategy.plan({ model, amount: 0.5, collect: randomCollect() });
    expect(steps).toEqual([]);
    expect(notes.join()).toMatch(reasons[name]!);
  });

  const targets: Target[] = [{ sparsity: 0.5 }, { parameters: 0.6 }, { flops: 0.6 }, { bytes: 0.7 }];
  it.each(quick.has(name) ? targets : [])(
    "every strategy meets %o within two per cent, or says why not",
    async (target) => {
      for (const strategy of [
        unstructured(),
        channel({ scope: "global" }),
        head(),
        depth(),
        combined([channel(), unstructured()]),
        combined([depth(), channel()]),
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
    },
  );

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

it("every strategy keeps every promise over random networks", async () => {
  const deepest = combined([
    depth({ keepAtLeast: 0 }),
    head({ keepAtLeast: 0 }),
    channel({ keepAtLeast: 0, scope: "global" }),
    unstructured({ leastDensity: 0 }),
  ]);
  await fc.assert(
    fc.asyncProperty(fc.nat(), async (seed) => {
      const model = modelOf(drawNetwork(chooseNetwork(chooserOf(randomStream(seed, "network")))));
      const options = { amounts: [0.3, 0.97], stored, collect: randomCollect(1) };
      await checkStrategy(channel({ scope: "global", criterion: "taylor" }), model, options);
      await checkStrategy(deepest, model, { ...options, mayEmpty: true });
    }),
    { numRuns: 15, seed: 4 },
  );
});
