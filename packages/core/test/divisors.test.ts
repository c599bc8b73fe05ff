import { type MaskStep, prunableTensors } from "@espalier/core";
import {
  add,
  Builder,
  batch,
  div,
  expand,
  filled,
  maskFrom,
  mul,
  pow,
  reshape,
  sqrt,
  sub,
  type Value,
} from "@espalier/core/graph";
import { applySteps } from "@espalier/core/pruning";
import { linear, maskRandomly, modelChecks, modelOf } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";

/** An instance normalisation: a learnt scale and shift, undone behind the layers. */
function drawUndone(undo: (b: Builder, y: Value, scale: Value) => Value) {
  const b = Builder.create();
  const x = b.input("x", [batch, 6, 3]);
  const scale = b.parameter("scale", [1, 1, 3], filled(1.5));
  const shift = b.parameter("shift", [1, 1, 3], filled(0.5));
  const hidden = linear(b, "layer", add(b, mul(b, x, scale), shift), 3, 3);
  b.output("y", undo(b, sub(b, hidden, shift), scale));
  return modelOf(b.build());
}

const mask = (parameter: string, shape: readonly number[]): MaskStep => ({
  do: "mask",
  parameter,
  keep: maskFrom(shape, (i) => i !== 1),
  because: "",
});

describe("what is divided by", () => {
  it.each<[string, (b: Builder, y: Value, scale: Value) => Value]>([
    ["as it is", (b, y, scale) => div(b, y, scale)],
    [
      "repeated and laid out otherwise",
      (b, y, scale) => div(b, y, reshape(b, expand(b, scale, [2, 3, 3]), [1, 6, 3])),
    ],
    ["with a guard against 0", (b, y, scale) => div(b, y, add(b, scale, b.constant(1e-10)))],
    ["as a factor of it", (b, y, scale) => div(b, y, mul(b, scale, b.constant(2)))],
    ["under a root", (b, y, scale) => div(b, y, sqrt(b, scale))],
    ["to a negative power", (b, y, scale) => mul(b, y, pow(b, scale, b.constant(-1)))],
  ])("%s: is not pruned, and no plan may mask it", (_, undo) => {
    const model = drawUndone(undo);
    expect(prunableTensors(model)).toEqual(["layer.weight"]);
    expect(() => applySteps(model, [mask("scale", [1, 1, 3])])).toThrow(
      /^masking "scale" would make node \w+ divide by 0, so its outputs would be NaN/,
    );
    expect(() => applySteps(model, [mask("shift", [1, 1, 3])])).not.toThrow();
  });

  it("may be masked where a 0 of it is no divisor of 0", () => {
    const model = drawUndone((b, y, scale) => div(b, y, add(b, scale, b.constant(1))));
    expect(() => applySteps(model, [mask("scale", [1, 1, 3])])).not.toThrow();
    // Scales and biases are not pruned unless asked for, whatever axes of 1 they have.
    expect(prunableTensors(model)).toEqual(["layer.weight"]);
  });

  it("is cut with its dimension like everything else", async () => {
    const b = Builder.create();
    const hidden = linear(b, "up", b.input("x", [batch, 4]), 4, 6);
    const divided = div(b, hidden, b.parameter("temperature", [6], filled(2)));
    b.output("y", linear(b, "down", divided, 6, 2));
    for (const { run } of modelChecks(modelOf(b.build()))) await run();
  });

  it("may be a table that is not trained, such as the distances of a spline's knots", async () => {
    const b = Builder.create();
    const x = b.input("x", [batch, 4]);
    const hidden = linear(b, "up", x, 4, 6);
    const knots = b.buffer("knots", { dtype: "float32", shape: [6], data: new Float32Array(6).fill(2) });
    b.output(
      "y",
      linear(
        b,
        "down",
        div(
          b,
          sub(
            b,
            hidden,
            b.buffer("start", { dtype: "float32", shape: [6], data: new Float32Array(6).fill(1) }),
          ),
          knots,
        ),
        6,
        2,
      ),
    );
    for (const { run } of modelChecks(modelOf(b.build()))) await run();
  });

  it("leaves a layer with one output a weight", () => {
    const b = Builder.create();
    b.output("y", linear(b, "one", b.input("x", [batch, 4]), 4, 1));
    const model = modelOf(b.build());
    expect(prunableTensors(model)).toEqual(["one.weight"]);
    expect(maskRandomly(model).masks.has("one.weight")).toBe(true);
  });
});
