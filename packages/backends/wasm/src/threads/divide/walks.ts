import type { Argument, Call } from "../../compile/call.ts";
import { isPointer } from "../../compile/call.ts";
import { binaryFunctions, costsOf, unaryFunctions } from "../../kernels/functions.ts";
import type { KernelName } from "../../modules/names.ts";
import { cut, longestShare } from "./cut.ts";
import { constantsAt, type Divider, numberAt, type Surroundings, withConstants } from "./divider.ts";

/** Numbers of an axis in a walk (see walk.ts): its extent, and byte strides of four operands. */
const axisSize = 5;
/** Elements from one border to the next along neighbours: a cache line. */
const line = 16;

interface Rule {
  /** The argument that holds the walk, and those that it walks over, in order. */
  readonly walk: number;
  readonly operands: readonly number[];
  /** How many of the innermost axes a kernel takes several elements of at once. */
  readonly vectors: 0 | 1 | 2;
  /** Whether positions along an axis with such strides write to different places; where that is not said, they do. */
  readonly apart?: (strides: readonly number[], call: Call) => boolean;
  /** Expected nanoseconds of an element. */
  readonly element: (call: Call) => number;
}

const unaryCosts = costsOf(unaryFunctions);
const binaryCosts = costsOf(binaryFunctions);

const rules = {
  unary: { walk: 1, operands: [2, 3], vectors: 1, element: (call) => unaryCosts[numberAt(call, 0)]! },
  binary: { walk: 1, operands: [2, 3, 4], vectors: 1, element: (call) => binaryCosts[numberAt(call, 0)]! },
  affine: { walk: 0, operands: [1, 2, 3, 4], vectors: 1, element: () => 0.2 },
  transposed: { walk: 0, operands: [1, 2], vectors: 2, element: () => 0.5 },
  // The second operand is the number of the first element.
  random: { walk: 0, operands: [1, 7], vectors: 1, element: () => 0.9 },
  softmaxLanes: {
    walk: 0,
    operands: [1, 2],
    vectors: 1,
    element: (call) => 0.9 * numberAt(call, 3),
  },
  softmaxRows: { walk: 0, operands: [1, 2], vectors: 0, element: (call) => 1.2 * numberAt(call, 3) },
  softmaxGradientLanes: {
    walk: 0,
    operands: [1, 2, 3],
    vectors: 1,
    element: (call) => 0.5 * numberAt(call, 4),
  },
  softmaxGradientRows: {
    walk: 0,
    operands: [1, 2, 3],
    vectors: 0,
    element: (call) => 0.7 * numberAt(call, 4),
  },
  gather: {
    walk: 0,
    operands: [1, 2, 3],
    vectors: 1,
    // What is added or put at indices may meet: only other axes keep apart.
    apart: ([, x], call) => numberAt(call, 6) === 0 || x !== 0,
    element: () => 1.2,
  },
  topK: {
    walk: 0,
    operands: [1, 2, 3],
    vectors: 0,
    element: (call) => numberAt(call, 4) * (2 + 0.4 * numberAt(call, 5)),
  },
  cumulativeSum: { walk: 0, operands: [1, 2], vectors: 1, element: (call) => 1.3 * numberAt(call, 3) },
  pool: {
    walk: 0,
    operands: [1, 2],
    vectors: 1,
    element: (call) => 0.3 * numberAt(call, 3) * numberAt(call, 7),
  },
  averagePoolGradient: {
    walk: 0,
    operands: [1, 2],
    vectors: 1,
    element: (call) => 0.7 * numberAt(call, 3) * numberAt(call, 7),
  },
  averageRows: {
    walk: 0,
    operands: [1, 2],
    vectors: 0,
    element: (call) => 0.04 * numberAt(call, 3) * numberAt(call, 4),
  },
  averageGradientRows: {
    walk: 0,
    operands: [1, 2],
    vectors: 0,
    element: (call) => 0.04 * numberAt(call, 3) * numberAt(call, 4),
  },
  maxPoolGradient: {
    walk: 0,
    operands: [1, 2, 3],
    vectors: 1,
    element: (call) => numberAt(call, 4) * numberAt(call, 9),
  },
  // A sum is one thread's, so that its order stays.
  reduce: { walk: 0, operands: [1, 2], vectors: 1, apart: ([y]) => y !== 0, element: () => 0.3 },
} satisfies Partial<Record<KernelName, Rule>>;

interface Axis {
  readonly index: number;
  readonly extent: number;
  readonly grain: number;
  readonly strides: readonly number[];
}

function axesOf(call: Call, { walk, operands, vectors }: Rule, { constants }: Surroundings): Axis[] {
  const at = constantsAt(call, walk);
  const rank = constants[at]!;
  return Array.from({ length: rank }, (_, index) => {
    const [extent, ...strides] = constants.slice(at + 1 + axisSize * index, at + 1 + axisSize * (index + 1));
    const inner = rank - index <= vectors;
    // Short rows are cut at whole vectors, long ones at cache lines.
    const grain = inner ? (extent! < 8 * line ? 4 : line) : 1;
    return { index, extent: extent!, grain, strides: strides.slice(0, operands.length) };
  });
}

function divider(rule: Rule): Divider {
  const { walk, operands, apart = () => true, element } = rule;
  return {
    cost: (call, surroundings) =>
      axesOf(call, rule, surroundings).reduce((n, { extent }) => n * extent, 1) * element(call),
    divide(call, parts, surroundings) {
      const axes = axesOf(call, rule, surroundings).filter(({ strides }) => apart(strides, call));
      const share = ({ extent, grain }: Axis) => longestShare(extent, parts, grain);
      // The outermost of those that are cut best.
      const best = axes.reduce<Axis | undefined>(
        (found, axis) => (found === undefined || share(axis) < share(found) - 0.02 ? axis : found),
        undefined,
      );
      if (best === undefined) return [call];
      const at = constantsAt(call, walk);
      const numbers = surroundings.constants.slice(at, at + 1 + axisSize * surroundings.constants[at]!);
      return cut(best.extent, parts, best.grain).map(([start, end]) => {
        const part = numbers.with(1 + axisSize * best.index, end - start);
        const args: Argument[] = [...call.args];
        args[walk] = withConstants(call, walk, part, surroundings);
        operands.forEach((operand, i) => {
          args[operand] = further(args[operand]!, start * best.strides[i]!);
        });
        return { kernel: call.kernel, args };
      });
    },
  };
}

function further(argument: Argument, by: number): Argument {
  return isPointer(argument) ? { ...argument, bytes: argument.bytes + by } : argument + by;
}

export const walkDividers: Partial<Record<KernelName, Divider>> = Object.fromEntries(
  Object.entries(rules).map(([name, rule]) => [name, divider(rule)]),
);
