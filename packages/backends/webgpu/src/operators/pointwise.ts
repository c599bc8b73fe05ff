import {
  type Attributes,
  type AttributesNamed,
  countElements,
  type OperatorName,
  scaleFactor,
} from "@espalier/core/graph";
import { read, readMoved, readRepeated, splat, type Value } from "../compile/value.ts";
import { rowMajor } from "../compile/view.ts";
import {
  errorFunction,
  floats,
  gelu,
  geluSlope,
  literal,
  power,
  randomHash,
  sine,
} from "../wgsl/functions.ts";
import { Index, sum } from "../wgsl/index-space.ts";
import type { Width, Writer } from "../wgsl/writer.ts";

/** The operand elements of a result's element, while a kernel is written. */
export interface PointCall<A extends Attributes = Attributes> {
  readonly writer: Writer;
  readonly width: Width;
  readonly attributes: A;
  readonly batchSize: number;
  /** Position in the result. */
  readonly index: Index;
}

/** An operator each of whose results depends on one element of each operand. */
export interface PointOperator<A extends Attributes = Attributes> {
  /** Roughly, in additions. */
  readonly cost: number;
  /** WGSL of the result from WGSL of the operands. */
  apply(call: PointCall<A>, args: readonly string[]): string;
  /** The operand's element(s) at a position of the result: repeated along axes of extent 1, unless it says otherwise. */
  readOperand?(call: PointCall<A>, operand: number, value: Value): string;
}

const simple = (cost: number, f: (args: readonly string[], T: string) => string): PointOperator => ({
  cost,
  apply: ({ width }, args) => f(args, floats(width)),
});

export const pointOperators = new Map(
  Object.entries({
    Add: simple(1, ([a, b]) => `${a} + ${b}`),
    Sub: simple(1, ([a, b]) => `${a} - ${b}`),
    Mul: simple(1, ([a, b]) => `${a} * ${b}`),
    Div: simple(2, ([a, b]) => `${a} / ${b}`),
    Sqrt: simple(2, ([x]) => `sqrt(${x})`),
    Relu: simple(1, ([x], T) => `max(${x}, ${T}(0f))`),
    ReluGradient: simple(1, ([x, dy], T) => `select(${T}(0f), ${dy}, ${x} > ${T}(0f))`),
    Elu: simple(6, ([x], T) => `select(exp(min(${x}, ${T}(0f))) - 1f, ${x}, ${x} > ${T}(0f))`),
    EluGradient: simple(6, ([x, dy], T) => `${dy} * exp(min(${x}, ${T}(0f)))`),
    // Beyond 15 it is 1 in f32, and some drivers' own tanh overflows.
    Tanh: simple(8, ([x], T) => `tanh(clamp(${x}, ${T}(-15f), ${T}(15f)))`),
    Gelu: { cost: 14, apply: ({ writer, width }, [x]) => `${gelu(writer, width)}(${x})` },
    GeluGradient: {
      cost: 20,
      apply: ({ writer, width }, [x, dy]) => `${dy} * ${geluSlope(writer, width)}(${x})`,
    },
    Exp: simple(5, ([x]) => `exp(${x})`),
    Log: simple(5, ([x]) => `log(${x})`),
    Sigmoid: simple(6, ([x], T) => `1f / (1f + exp(-max(${x}, ${T}(-80f))))`),
    Erf: { cost: 12, apply: ({ writer, width }, [x]) => `${errorFunction(writer, width)}(${x})` },
    Sin: { cost: 14, apply: ({ writer, width }, [x]) => `${sine(writer, width)}(${x}, 0f)` },
    Cos: { cost: 14, apply: ({ writer, width }, [x]) => `${sine(writer, width)}(${x}, 1f)` },
    Pow: { cost: 16, apply: ({ writer, width }, [x, y]) => `${power(writer, width)}(${x}, ${y})` },
    Clip: {
      cost: 2,
      apply({ width, attributes }, [x]) {
        const { min, max } = attributes;
        const T = floats(width);
        const raised = min === undefined ? x! : `max(${x}, ${T}(${literal(min)}))`;
        return max === undefined ? raised : `min(${raised}, ${T}(${literal(max)}))`;
      },
    },
    ClipGradient: {
      cost: 2,
      apply({ width, attributes }, [x, dy]) {
        const { min, max } = attributes;
        const T = floats(width);
        const bounds = [
          ...(min === undefined ? [] : [`(${x} >= ${T}(${literal(min)}))`]),
          ...(max === undefined ? [] : [`(${x} <= ${T}(${literal(max)}))`]),
        ];
        return bounds.length === 0 ? dy! : `select(${T}(0f), ${dy}, ${bounds.join(" & ")})`;
      },
    },
    Greater: simple(1, ([a, b], T) => `select(${T}(0f), ${T}(1f), ${a} > ${b})`),
    Equal: simple(1, ([a, b], T) => `select(${T}(0f), ${T}(1f), ${a} == ${b})`),
    Where: simple(1, ([condition, a, b], T) => `select(${b}, ${a}, ${condition} != ${T}(0f))`),
    Cast: {
      cost: 1,
      apply({ width, attributes }, [x]) {
        const scalar = attributes.to === "int32" ? "i32" : "f32";
        return `${width === 1 ? scalar : `vec4<${scalar}>`}(${x})`;
      },
    },
    Floor: simple(1, ([x]) => `floor(${x})`),
    Round: simple(1, ([x]) => `round(${x})`),
    Scale: {
      cost: 1,
      apply: ({ attributes, batchSize }, [x]) => `${x} * ${literal(scaleFactor(attributes, batchSize))}`,
    },
    DropoutTraining: {
      cost: 2,
      apply({ width, attributes }, [x, uniform]) {
        const { ratio } = attributes;
        const T = floats(width);
        // The numbers are multiples of 2⁻²⁴: the least that reaches the ratio is exact, the ratio itself may not be.
        const bound = literal(Math.ceil(ratio * 2 ** 24) / 2 ** 24);
        return `select(${T}(0f), ${x} * ${literal(1 / (1 - ratio))}, ${uniform} >= ${T}(${bound}))`;
      },
    },
    RandomUniform: {
      cost: 16,
      apply({ writer, width, attributes, index }, [seed, step]) {
        const { stream } = attributes;
        randomHash(writer);
        const key = writer.bind("u32", `randomKey(${seed}, ${step}, ${stream >>> 0}u)`);
        const steps = rowMajor(index.shape);
        const first = index.flat ?? sum(steps.map((by, axis) => [index.axis(axis), by] as const));
        const at = (i: number) => `randomAt(${key}, ${first}${i === 0 ? "" : ` + ${i}u`})`;
        return width === 1 ? at(0) : `vec4f(${[0, 1, 2, 3].map(at).join(", ")})`;
      },
      readOperand: ({ writer, index }, _operand, value) =>
        read(value, writer, index.broadcastTo(value.shape), 1),
    },
    BatchNormalization: {
      cost: 6,
      apply({ attributes }, [x, scale, bias, mean, variance]) {
        const { epsilon } = attributes;
        return `(${x} - ${mean}) / sqrt(${variance} + ${literal(epsilon)}) * ${scale} + ${bias}`;
      },
      readOperand(call, operand, value) {
        const { writer, index, width } = call;
        if (operand === 0) return readRepeated(value, writer, index, width);
        return readChannel(value, writer, index, width);
      },
    },
  } satisfies { [N in OperatorName]?: PointOperator<AttributesNamed<N>> }),
) as ReadonlyMap<string, PointOperator>;

/** A vector along axis 1 at a position of a value [N, C, …]. */
export function readChannel(vector: Value, writer: Writer, index: Index, width: Width): string {
  const last = index.shape.length === 2;
  const move = (at: Index) =>
    new Index(writer, vector.shape, {
      axis: () => at.axis(1),
      quad: last && at.isRun ? () => at.quad! : undefined,
    });
  if (width === 4 && !last && index.isRun) return splat(read(vector, writer, move(index), 1), "f32", 4);
  return readMoved(vector, writer, index, width, move);
}

/** WGSL of the result from operands that are read where they lie. `given` replaces operands that are at hand. */
export function applyPoint(
  operator: PointOperator,
  call: PointCall,
  operands: readonly Value[],
  given: (operand: number) => string | undefined = () => undefined,
): string {
  const { writer, index, width } = call;
  const args = operands.map(
    (value, i) =>
      given(i) ??
      (operator.readOperand === undefined
        ? readRepeated(value, writer, index, width)
        : operator.readOperand(call, i, value)),
  );
  return operator.apply(call, args);
}

/** Whether the result is as large as the operand: it can be computed where the operand was. */
export function keepsShape(operand: Value, shape: readonly number[]): boolean {
  return operand.shape.length === shape.length && countElements(operand.shape) === countElements(shape);
}
