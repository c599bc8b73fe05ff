import { type Coupling, inferDimensions, type Operand } from "@espalier/core/dimensions";
import {
  type Drawing,
  type Extent,
  isBatch,
  type Node,
  type Operator,
  randomStream,
  sameExtent,
} from "@espalier/core/graph";
import { chooseNetwork, chooserOf, drawNetwork, modelChecks, modelOf } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";

/** One thing that an operator's `couple` says, and the axes it says it of. */
interface Rule {
  readonly says: "same" | "regroup" | "join" | "select" | "fixed";
  readonly of: readonly unknown[];
}

/** A rule of an operator that is left out, or whose second axis is exchanged with the next rule's. */
interface Mutation {
  readonly operator: string;
  readonly rule: number;
  readonly how: "drop" | "swap";
}

type Call = Parameters<Operator["couple"]>;

/** All that `couple` says, axis by axis; what kinds are derived from is passed on. */
function rulesOf({ couple }: Operator, [coupling, inputs, outputs, attributes]: Call): Rule[] {
  const rules: Rule[] = [];
  const say =
    (says: Rule["says"]) =>
    (...of: unknown[]) =>
      void rules.push({ says, of });
  const same = say("same");
  const recorder: Coupling = {
    same,
    regroup: say("regroup"),
    join: say("join"),
    select: say("select"),
    fixed: say("fixed"),
    note: (axis, use) => coupling.note(axis, use),
    sameAll: (a, b) => {
      a.axes.forEach((axis, i) => {
        same(axis, b.axes[i]!);
      });
    },
    broadcast(from, to) {
      const lead = to.axes.length - from.axes.length;
      from.axes.forEach((axis, i) => {
        if (sameExtent(from.shape[i]!, to.shape[i + lead]!)) same(axis, to.axes[i + lead]!);
      });
    },
  };
  couple(recorder, inputs, outputs, attributes);
  return rules;
}

/** Extents of the axes of a call. */
function extentsOf(operands: readonly Operand[]): Map<unknown, Extent> {
  return new Map(operands.flatMap(({ axes, shape }) => axes.map((axis, i) => [axis, shape[i]!] as const)));
}

/** Whether a mutation changes what is said: an axis that is the batch, or 1 long, can be pruned neither way. */
function applies({ rule, how }: Mutation, rules: readonly Rule[], extents: Map<unknown, Extent>): boolean {
  const matters = ({ of }: Rule) =>
    of.flat().some((axis) => {
      const extent = extents.get(axis) ?? 1;
      return !isBatch(extent) && extent > 1;
    });
  const [one, other] = [rules[rule], rules[rule + 1]];
  if (one === undefined || !matters(one)) return false;
  if (how === "drop") return true;
  if (one.says !== "same" || other?.says !== "same" || !matters(other)) return false;
  const apart = one.of[0] !== other.of[0] && one.of[1] !== other.of[1];
  return apart && sameExtent(extents.get(one.of[1])!, extents.get(other.of[1])!);
}

function mutated(rules: readonly Rule[], { rule, how }: Mutation): Rule[] {
  if (how === "drop") return rules.toSpliced(rule, 1);
  const [one, other] = [rules[rule]!, rules[rule + 1]!];
  return rules.toSpliced(
    rule,
    2,
    { says: "same", of: [one.of[0], other.of[1]] },
    { says: "same", of: [other.of[0], one.of[1]] },
  );
}

/** The drawing with other `couple`s. */
function coupled(drawing: Drawing, couple: (node: Node, call: Call) => void): Drawing {
  const nodes = drawing.graph.nodes.map((node) => ({
    ...node,
    operator: { ...node.operator, couple: (...call: Call) => couple(node, call) },
  }));
  return { ...drawing, graph: { ...drawing.graph, nodes } };
}

/** Mutations that change something in a drawing. */
function mutationsIn(drawing: Drawing): Mutation[] {
  const found = new Map<string, Mutation>();
  const probe = coupled(drawing, ({ operator }, call) => {
    const rules = rulesOf(operator, call);
    const extents = extentsOf([...call[1], ...call[2]]);
    for (const how of ["drop", "swap"] as const)
      for (const rule of rules.keys()) {
        const mutation = { operator: operator.name, rule, how };
        if (applies(mutation, rules, extents)) found.set(`${operator.name} ${rule} ${how}`, mutation);
      }
    operator.couple(...call);
  });
  inferDimensions(probe.graph);
  return [...found.values()];
}

/** The drawing, with an operator that says something else of its axes. */
function withMutation(drawing: Drawing, mutation: Mutation): Drawing {
  return coupled(drawing, ({ operator }, call) => {
    const [coupling, inputs, outputs] = call;
    const rules = operator.name === mutation.operator ? rulesOf(operator, call) : [];
    if (!applies(mutation, rules, extentsOf([...inputs, ...outputs]))) operator.couple(...call);
    else
      for (const { says, of } of mutated(rules, mutation))
        (coupling[says] as (...axes: unknown[]) => void)(...of);
  });
}

/** Whether the checks of a model fail. */
async function fails(drawing: Drawing, seed: number): Promise<boolean> {
  try {
    for (const { run } of modelChecks(modelOf(drawing, seed), { seed })) await run();
    return false;
  } catch {
    return true;
  }
}

/** Rules that say more than they must; nothing can show that they are missing. */
const cautious = new Set([
  // An index table's own axis could be cut with what it picks.
  "Gather 3 drop",
  // Only the table of places has no batch axis before it, and it is fixed.
  "Expand 0 drop",
]);

describe("what operators say of their axes", () => {
  it("is checked by random networks: no rule can be dropped, and no two swapped", async () => {
    const drawings = Array.from({ length: 500 }, (_, i) => {
      const choose = chooserOf(randomStream(i, "mutation"));
      const network = chooseNetwork(choose, { kinds: ["between"], most: 1 });
      const [block] = network.blocks as [Extract<(typeof network.blocks)[number], { kind: "between" }>];
      // Axes of one length can be mistaken for each other.
      const blocks = [{ ...block, width: choose.pick([block.width, block.rows]) }];
      return drawNetwork({ ...network, mixed: 0, blocks });
    });
    const places = new Map<string, { readonly mutation: Mutation; readonly drawings: Drawing[] }>();
    for (const drawing of drawings) {
      for (const mutation of mutationsIn(drawing)) {
        const key = `${mutation.operator} ${mutation.rule} ${mutation.how}`;
        const place = places.get(key) ?? { mutation, drawings: [] };
        places.set(key, { ...place, drawings: [...place.drawings, drawing] });
      }
    }
    const missed: string[] = [];
    for (const [key, { mutation, drawings: where }] of places) {
      if (cautious.has(key)) continue;
      let caught = false;
      for (const [i, drawing] of where.slice(0, 60).entries()) {
        caught = await fails(withMutation(drawing, mutation), i);
        if (caught) break;
      }
      if (!caught) missed.push(`${key} (${where.length} networks)`);
    }
    expect(missed).toEqual([]);
    expect(places.size).toBeGreaterThan(100);
  }, 60_000);
});
