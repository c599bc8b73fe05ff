import {
  type Builder,
  type Extent,
  elementsOf,
  isBatch,
  matMul,
  mul,
  printShape,
  reduceSum,
  reshape,
  sameExtent,
  type Value,
} from "@espalier/core/graph";
import { type Call, lift, type Rule, valueInput } from "../call.ts";
import { UnreadableError } from "../errors.ts";
import { build } from "../known.ts";
import { permute } from "../layout.ts";

/** A value with a letter for each of its axes. */
interface Lettered {
  readonly value: Value;
  readonly letters: string;
}

/** Einstein sums, as matrix products with the axes brought into order. */
const einsum: Rule = (call) => {
  const equation = call.attributes.text("equation", "").replaceAll(" ", "");
  const [left = "", right] = equation.split("->");
  const terms = left.split(",");
  if (terms.length !== call.inputs.length)
    throw new UnreadableError(`its equation has ${terms.length} terms`);
  const operands = terms.map((letters, i) =>
    diagonal(call, lettered(letters, valueInput(call, i, { as: i === 0 ? "operand" : "weight" }))),
  );
  const output = right === undefined ? implicitOutput(operands) : withEllipsis(right, operands);
  const extents = new Map<string, Extent>();
  for (const { letters, value } of operands) {
    [...letters].forEach((letter, axis) => {
      const extent = value.shape[axis]!;
      const known = extents.get(letter);
      if (known !== undefined && !sameExtent(known, extent))
        throw new UnreadableError(
          `its letter ${letter} has two lengths in ${operands.map((o) => printShape(o.value.shape)).join(" and ")}`,
        );
      extents.set(letter, extent);
    });
  }
  if ([...output].some((letter, i) => !extents.has(letter) || output.indexOf(letter) < i))
    throw new UnreadableError("its result has a repeated letter, or one that no term has");
  const { b } = call;
  let whole = operands[0]!;
  operands.slice(1).forEach((operand, i) => {
    const later =
      operands
        .slice(i + 2)
        .map(({ letters }) => letters)
        .join("") + output;
    whole = contract(b, whole, operand, later);
  });
  return arrange(b, sumOut(b, whole, output), output);
};

/** Letters for the axes of `...` that no equation contains. */
const hidden = "⓪①②③④⑤⑥⑦";

function lettered(term: string, value: Value): Lettered {
  const named = term.replace("...", "");
  const more = value.shape.length - named.length;
  const spread = term.includes("...") ? hidden.slice(0, Math.max(0, more)) : "";
  const letters = term.replace("...", spread);
  if (letters.length !== value.shape.length || !/^[A-Za-z]*$/.test(named))
    throw new UnreadableError(`its term ${term.slice(0, 40)} does not fit ${printShape(value.shape)}`);
  return { value, letters };
}

/** A letter that occurs twice takes a diagonal: everything off the diagonal is multiplied with zero, then summed. */
function diagonal(call: Call, { value, letters }: Lettered): Lettered {
  const { b } = call;
  const again = [...letters].findIndex((letter, axis) => letters.indexOf(letter) < axis);
  if (again < 0) return { value, letters };
  const first = letters.indexOf(letters[again]!);
  const [extent, other] = [value.shape[first]!, value.shape[again]!];
  if (isBatch(extent) || extent !== other)
    throw new UnreadableError(`its letter ${letters[again]} takes a diagonal of ${printShape(value.shape)}`);
  const unit = build("float", [extent, extent], (i) => [i % (extent + 1) === 0 ? 1 : 0, 0]);
  const name = [call.module, "diagonal"].filter(Boolean).join(".");
  const shape = value.shape.map((_, axis) => (axis === first || axis === again ? extent : 1));
  const kept = mul(b, value, reshape(b, lift(call, unit, { as: "operand", name }), shape));
  const rest = {
    value: reduceSum(b, kept, [again], false),
    letters: letters.slice(0, again) + letters.slice(again + 1),
  };
  return diagonal(call, rest);
}

function withEllipsis(term: string, operands: readonly Lettered[]): string {
  const spread = operands.map(({ letters }) => [...letters].filter((c) => hidden.includes(c)).join(""));
  const longest = spread.reduce((a, c) => (c.length > a.length ? c : a), "");
  return term.replace("...", longest);
}

/** Without an arrow: the letters that occur once, in alphabetical order, those of `...` first. */
function implicitOutput(operands: readonly Lettered[]): string {
  const all = operands.map(({ letters }) => letters).join("");
  const once = [...new Set(all)].filter((c) => hidden.includes(c) || all.split(c).length === 2);
  const [spread, named] = [once.filter((c) => hidden.includes(c)), once.filter((c) => !hidden.includes(c))];
  return spread.sort().join("") + named.sort().join("");
}

/** Sums over the letters that are no longer needed. */
function sumOut(b: Builder, { value, letters }: Lettered, kept: string): Lettered {
  const axes = [...letters].flatMap((letter, axis) => (kept.includes(letter) ? [] : [axis]));
  return {
    value: reduceSum(b, value, axes),
    letters: [...letters].filter((letter) => kept.includes(letter)).join(""),
  };
}

function arrange(b: Builder, { value, letters }: Lettered, order: string): Value {
  return permute(
    b,
    value,
    [...order].map((letter) => letters.indexOf(letter)),
  );
}

/** One product: letters of both operands are batch axes, or contracted if they are not needed later. */
function contract(b: Builder, left: Lettered, right: Lettered, later: string): Lettered {
  const x = sumOut(b, left, right.letters + later);
  const y = sumOut(b, right, left.letters + later);
  const shared = [...x.letters].filter((letter) => y.letters.includes(letter));
  const batch = shared.filter((letter) => later.includes(letter)).join("");
  const inner = shared.filter((letter) => !later.includes(letter)).join("");
  const own = (of: Lettered) => [...of.letters].filter((letter) => !shared.includes(letter)).join("");
  const [rows, columns] = [own(x), own(y)];
  const extent = (of: Lettered, group: string): Extent =>
    elementsOf([...group].map((letter) => of.value.shape[of.letters.indexOf(letter)]!));
  const lead = [...batch].map((letter) => x.value.shape[x.letters.indexOf(letter)]!);
  const a = reshape(b, arrange(b, x, batch + rows + inner), [...lead, extent(x, rows), extent(x, inner)]);
  const c = reshape(b, arrange(b, y, batch + inner + columns), [
    ...lead,
    extent(y, inner),
    extent(y, columns),
  ]);
  const each = (of: Lettered, group: string) =>
    [...group].map((letter) => of.value.shape[of.letters.indexOf(letter)]!);
  const product = reshape(b, matMul(b, a, c), [...lead, ...each(x, rows), ...each(y, columns)]);
  return { value: product, letters: batch + rows + columns };
}

export const einsums: Readonly<Record<string, Rule>> = { Einsum: einsum };
