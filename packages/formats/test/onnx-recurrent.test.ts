import { type Model, meet, prune, randomInputs, reference, runModel } from "@espalier/core";
import { modelChecks, relativeError } from "@espalier/core/testing";
import { readOnnx, writeOnnx } from "@espalier/formats";
import { channel } from "@espalier/strategy-channel";
import { AttributeProto_AttributeType as AttributeType } from "onnx-buf";
import { describe, expect, it } from "vitest";
import { int, ints, text } from "../src/onnx/proto.ts";
import { agrees, operators, refusal, roles } from "./onnx-agreement.ts";
import { type FileParts, floats, longs, node, onnxFile, weight } from "./onnx-build.ts";
import { withOnnx } from "./onnx-runtime.ts";

/** LSTM, GRU and RNN of ONNX: read, pruned by their width, and written again. */

const gates = { LSTM: 4, GRU: 3 } as const;
type Cell = keyof typeof gates;
const features = 3;
const width = 6;

const weights = (cell: Cell, directions: number) => [
  weight("r.w", directions, gates[cell] * width, features),
  weight("r.hidden", directions, gates[cell] * width, width),
  weight("r.biases", directions, 2 * gates[cell] * width),
];

const attributes = (cell: Cell, direction = "forward") => ({
  hidden_size: int(width),
  direction: text(direction),
  ...(cell === "GRU" && { linear_before_reset: int(1) }),
});

/** [batch, steps, features] → a cell over the steps → a forecast from what it gives. */
function forecaster(cell: Cell, direction: string): FileParts {
  const directions = direction === "bidirectional" ? 2 : 1;
  return {
    inputs: { x: ["batch", 5, features] },
    nodes: [
      node("Transpose", ["x"], "steps", { perm: ints([1, 0, 2]) }),
      node(cell, ["steps", "r.w", "r.hidden", "r.biases"], ["all", "last"], attributes(cell, direction)),
      node("Transpose", ["all"], "turned", { perm: ints([2, 0, 1, 3]) }),
      node("Reshape", ["turned", "shape"], "flat"),
      node("MatMul", ["flat", "head"], "y"),
    ],
    initializers: [
      ...weights(cell, directions),
      longs("shape", [0, 5, directions * width]),
      weight("head", directions * width, 2),
    ],
  };
}

const cells: [Cell, string][] = (["LSTM", "GRU"] as const).flatMap((cell) =>
  ["forward", "reverse", "bidirectional"].map((direction): [Cell, string] => [cell, direction]),
);

describe.each(cells)("%s, %s", (cell, direction) => {
  it("gives what ONNX Runtime gives, read and written again", async () => {
    const model = await agrees(forecaster(cell, direction));
    const count = direction === "bidirectional" ? 2 : 1;
    expect(operators(model).filter((name) => name === cell)).toHaveLength(count);
    const written = operators(readOnnx(writeOnnx(model)));
    expect(written.filter((name) => name === cell || name === "MatMul")).toHaveLength(2 * count + 1);
  });

  it("has its width as a dimension: units go with all their gates, and what is left equals masking", async () => {
    const model = readOnnx(onnxFile(forecaster(cell, direction)));
    const dimension = model.dimensions.list.find(({ size, fixed }) => size === width && fixed === undefined)!;
    expect(dimension.members.filter(({ tensor }) => /hidden/.test(tensor)).length).toBeGreaterThan(1);
    for (const { run } of modelChecks(model)) await run();
  });

  it("comes back pruned", async () => {
    const model = readOnnx(onnxFile(forecaster(cell, direction)));
    const small = prune(model, await meet({ parameters: 0.6 }, channel(), { model }));
    const bytes = writeOnnx(small);
    const inputs = randomInputs(small, 3);
    const expected = (await runModel(small, reference, inputs)).get("y")!;
    await withOnnx(bytes, "onnxruntime-node", async (run) => {
      expect(relativeError((await run(inputs)).get("y")!, expected)).toBeLessThan(1e-5);
    });
    const back = readOnnx(bytes);
    expect(relativeError((await runModel(back, reference, inputs)).get("y")!, expected)).toBeLessThan(1e-6);
    const trained = (one: Model) => Object.entries(roles(one)).filter(([, role]) => role === "trainable");
    expect(trained(back)).toEqual(trained(small));
    const sizes = ({ dimensions }: Model) => dimensions.list.map(({ name, size }) => [name, size]);
    expect(sizes(back)).toEqual(
      expect.arrayContaining(sizes(small).filter(([name]) => /^r\./.test(`${name}`))),
    );
  });
});

describe("a GRU that resets its state before the product", () => {
  it.each(["forward", "reverse", "bidirectional"])("%s: is drawn step by step", async (direction) => {
    const { nodes, ...rest } = forecaster("GRU", direction);
    const [before, cell, ...after] = nodes;
    const first = {
      ...cell!,
      attribute: cell!.attribute.filter(({ name }) => name !== "linear_before_reset"),
    };
    const model = await agrees({ ...rest, nodes: [before!, first, ...after] });
    expect(operators(model)).not.toContain("GRU");
    const dimension = model.dimensions.list.find(({ size, fixed }) => size === width && fixed === undefined);
    expect(dimension?.members.length).toBeGreaterThan(2);
    for (const { run } of modelChecks(model)) await run();
  });
});

describe("states and layouts", () => {
  it("begin with what they are given, and end as outputs", async () => {
    for (const cell of ["LSTM", "GRU"] as const) {
      const states = ["h", ...(cell === "LSTM" ? ["c"] : [])];
      await agrees({
        inputs: {
          x: [4, "batch", features],
          ...Object.fromEntries(states.map((name) => [name, [1, "batch", width]])),
        },
        outputs: ["all", "last", ...(cell === "LSTM" ? ["cell"] : [])],
        nodes: [
          node(
            cell,
            ["x", "r.w", "r.hidden", "r.biases", "", ...states],
            ["all", "last", ...(cell === "LSTM" ? ["cell"] : [])],
            attributes(cell),
          ),
        ],
        initializers: weights(cell, 1),
      });
    }
  });

  it("need no biases, and weights may be put together in the file", async () => {
    for (const cell of ["LSTM", "GRU"] as const) {
      const count = gates[cell];
      await agrees({
        inputs: { x: [4, "batch", features] },
        nodes: [
          ...Array.from({ length: count }, (_, i) => node("Identity", [`gate${i}`], `g${i}`)),
          node(
            "Concat",
            Array.from({ length: count }, (_, i) => `g${i}`),
            "w",
            { axis: int(1) },
          ),
          node(cell, ["x", "w", "r.hidden"], ["", "y"], attributes(cell)),
        ],
        initializers: [
          ...Array.from({ length: count }, (_, i) => weight(`gate${i}`, 1, width, features)),
          weight("r.hidden", 1, count * width, width),
        ],
      });
    }
  });
});

describe("what a cell cannot do", () => {
  const one = (cell: Cell, more: object, inputs: readonly string[] = []) =>
    refusal({
      inputs: { x: [4, "batch", features], n: ["batch"] },
      nodes: [
        node(cell, ["x", "r.w", "r.hidden", "r.biases", ...inputs], "y", { ...attributes(cell), ...more }),
      ],
      initializers: [
        ...weights(cell, 1),
        floats(
          "p",
          [1, 3 * width],
          Array.from({ length: 3 * width }, () => 1),
        ),
      ],
    });

  it("is said in one line", () => {
    expect(one("LSTM", {}, ["", "", "", "p"])).toMatch(/peepholes are not supported/);
    expect(one("LSTM", {}, ["n"])).toMatch(/sequences are of different lengths/);
    expect(one("LSTM", { direction: text("sideways") })).toMatch(/direction sideways is not known/);
  });
});

describe.each(["Tanh", "Relu"])("an RNN with %s", (activation) => {
  it("is drawn step by step, and its width is a dimension", async () => {
    const activations = (count: number) => ({
      type: AttributeType.STRINGS,
      strings: new Array(count).fill(new TextEncoder().encode(activation)),
    });
    const model = await agrees({
      inputs: { x: ["batch", 4, features] },
      nodes: [
        node("Transpose", ["x"], "steps", { perm: ints([1, 0, 2]) }),
        node("RNN", ["steps", "r.w", "r.hidden", "r.biases"], ["all", "last"], {
          hidden_size: int(width),
          direction: text("bidirectional"),
          activations: activations(2),
        }),
        node("Transpose", ["last"], "turned", { perm: ints([1, 0, 2]) }),
        node("Reshape", ["turned", "shape"], "flat"),
        node("MatMul", ["flat", "head"], "y"),
      ],
      initializers: [
        weight("r.w", 2, width, features),
        weight("r.hidden", 2, width, width),
        weight("r.biases", 2, 2 * width),
        longs("shape", [0, 2 * width]),
        weight("head", 2 * width, 2),
      ],
    });
    for (const { run } of modelChecks(model)) await run();
    const free = model.dimensions.list.filter(({ size, fixed }) => size === width && fixed === undefined);
    expect(free).toHaveLength(1);
  });
});
