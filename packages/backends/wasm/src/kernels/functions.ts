/** A function that the kernel `unary` or `binary` applies to each element. */
interface ElementFunction {
  /** Its number in assembly/elementwise.ts. */
  readonly code: number;
  /** Expected nanoseconds of an element. */
  readonly cost: number;
}

/** Functions of `unary`, by operator. */
export const unaryFunctions = {
  Identity: { code: 0, cost: 0.15 },
  Sqrt: { code: 1, cost: 0.5 },
  /** At least `by`, which is 0 unless given. */
  Relu: { code: 9, cost: 0.15 },
  Scale: { code: 3, cost: 0.15 },
  Gelu: { code: 4, cost: 0.75 },
  Exp: { code: 5, cost: 0.8 },
  Elu: { code: 6, cost: 1.5 },
  Sigmoid: { code: 7, cost: 1 },
  Tanh: { code: 8, cost: 1 },
  AtLeast: { code: 9, cost: 0.15 },
  AtMost: { code: 10, cost: 0.15 },
} as const satisfies Readonly<Record<string, ElementFunction>>;

/** Functions of `binary`, by operator. */
export const binaryFunctions = {
  Add: { code: 0, cost: 0.2 },
  Sub: { code: 1, cost: 0.2 },
  Mul: { code: 2, cost: 0.2 },
  Div: { code: 3, cost: 0.4 },
  ReluGradient: { code: 4, cost: 0.2 },
  GeluGradient: { code: 5, cost: 1.4 },
  DropoutTraining: { code: 6, cost: 0.2 },
  EluGradient: { code: 7, cost: 0.9 },
  AddIntegers: { code: 8, cost: 0.2 },
  ClipGradient: { code: 9, cost: 0.2 },
} as const satisfies Readonly<Record<string, ElementFunction>>;

/** Costs by code. */
export function costsOf(functions: Readonly<Record<string, ElementFunction>>): readonly number[] {
  const costs: number[] = [];
  for (const { code, cost } of Object.values(functions)) costs[code] = cost;
  return costs;
}
