/**
 * The parts of LiteRT's file format that are written here: numbers of its public schema (`schema.fbs`, version 3), which
 * never change.
 */

/** Operators by their number. */
export const operatorNumbers = {
  ADD: 0,
  AVERAGE_POOL_2D: 1,
  CONCATENATION: 2,
  FLOOR: 8,
  FULLY_CONNECTED: 9,
  LOGISTIC: 14,
  MAX_POOL_2D: 17,
  MUL: 18,
  RELU: 19,
  RESHAPE: 22,
  SOFTMAX: 25,
  TANH: 28,
  PAD: 34,
  GATHER: 36,
  TRANSPOSE: 39,
  SUB: 41,
  DIV: 42,
  EXP: 47,
  TOPK_V2: 48,
  CAST: 53,
  MAXIMUM: 55,
  MINIMUM: 57,
  PADV2: 60,
  GREATER: 61,
  SLICE: 65,
  SIN: 66,
  EQUAL: 71,
  NOT_EQUAL: 72,
  LOG: 73,
  SUM: 74,
  SQRT: 75,
  RSQRT: 76,
  POW: 78,
  ABS: 101,
  GATHER_ND: 107,
  COS: 108,
  ELU: 111,
  ROUND: 116,
  SCATTER_ND: 122,
  SELECT_V2: 123,
  BATCH_MATMUL: 126,
  CUMSUM: 128,
  GELU: 150,
  SIGN: 158,
} as const;

export type OperatorName = keyof typeof operatorNumbers;

/** Numbers above this do not fit into the field that old readers know, which then holds this one. */
export const largestOldNumber = 127;

/** Types of tensors by their number. */
export const typeNumbers = { float32: 0, int32: 2, bool: 6 } as const;

export type TensorType = keyof typeof typeNumbers;

/** Options of an operator, in the order of the schema's fields; a field that is 0 may be left out. */
export interface OptionsTable {
  /** Its number in the union of all options. */
  readonly union: number;
  readonly fields: readonly (readonly [name: string, kind: "int8" | "int32" | "float32"])[];
}

const pool: OptionsTable = {
  union: 5,
  fields: [
    ["padding", "int8"],
    ["strideWidth", "int32"],
    ["strideHeight", "int32"],
    ["filterWidth", "int32"],
    ["filterHeight", "int32"],
  ],
};
const reducer: OptionsTable = { union: 27, fields: [["keepDims", "int8"]] };

/** Options of those operators that read any; the others have none that differ from their defaults. */
export const optionTables: { readonly [N in OperatorName]?: OptionsTable } = {
  AVERAGE_POOL_2D: pool,
  MAX_POOL_2D: pool,
  FULLY_CONNECTED: {
    union: 8,
    fields: [
      ["activation", "int8"],
      ["weightsFormat", "int8"],
      ["keepDims", "int8"],
    ],
  },
  SOFTMAX: { union: 9, fields: [["beta", "float32"]] },
  CONCATENATION: { union: 10, fields: [["axis", "int32"]] },
  GATHER: {
    union: 23,
    fields: [
      ["axis", "int32"],
      ["batchDims", "int32"],
    ],
  },
  SUM: reducer,
  CAST: {
    union: 37,
    fields: [
      ["from", "int8"],
      ["to", "int8"],
    ],
  },
  BATCH_MATMUL: {
    union: 101,
    fields: [
      ["adjointFirst", "int8"],
      ["adjointSecond", "int8"],
    ],
  },
  CUMSUM: {
    union: 102,
    fields: [
      ["exclusive", "int8"],
      ["reverse", "int8"],
    ],
  },
  GELU: { union: 116, fields: [["approximate", "int8"]] },
};

/** Padding of pools: none. */
export const validPadding = 1;
