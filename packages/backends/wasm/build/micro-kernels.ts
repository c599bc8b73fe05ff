/**
 * Writes the unrolled inner loops of the products as AssemblyScript: their accumulators must be locals, which no loop
 * can declare. Everything around them (drivers, packing, other kernels) is written by hand in `assembly/`.
 *
 * Measured on AMD EPYC with AVX-512, Node 24: panels of 6 rows × 2 vectors are fastest with relaxed SIMD (4×2: 7…10 %
 * slower, 4×3 spills: 30 % slower); with plain SIMD 6×2 spills and loses 40 % against 4×2.
 */

export interface MicroKernelOptions {
  /** Fused multiply-add may be used: one register less is alive in each step. */
  readonly relaxed: boolean;
}

/** Vectors of tokens that one pass over sparse rows multiplies. 8 and 12 take 5…10 % longer than 4 or 6 for each. */
export const sparseWidths = [1, 2, 3, 4, 5, 6] as const;
const pairWidths = [1, 2, 3, 4, 5, 6] as const;
const quadWidths = [1, 2] as const;

/** Vectors of tokens in a strip of activations that sparse rows read: 64 bytes, a cache line, for each feature. */
export const sparseStrip = 4;
const range = (n: number) => [...Array(n).keys()];
const lines = (parts: readonly string[]) => parts.join("\n");

/** Rows of a dense panel: as many as registers allow. */
export const panelRows = ({ relaxed }: MicroKernelOptions): number => (relaxed ? 6 : 4);

export function microKernels(options: MicroKernelOptions): string {
  const rows = panelRows(options);
  return lines([
    'import { madd, most, storeLanes, zero } from "./simd";',
    `export const PANEL: i32 = ${rows};`,
    panel(rows, 2),
    panel(rows, 1),
    twoPanels(rows),
    strided(4, 2),
    strided(8, 1),
    scores(rows, 2),
    scores(2 * rows, 1),
    ...sparseWidths.map(sparseRow),
    dispatch("sparseRows", "sparse", sparseWidths),
    strips("sparseRowStrips", "sparse", sparseWidths),
    ...pairWidths.map((width) => sparseBlock(2, width)),
    dispatch("sparsePairs", "sparse2", pairWidths, "yld"),
    strips("sparsePairStrips", "sparse2", pairWidths, "yld"),
    ...quadWidths.map((width) => sparseBlock(4, width)),
    dispatch("sparseQuads", "sparse4", quadWidths, "yld"),
  ]);
}

/**
 * Adds the residual, if there is one, and stores `rows` rows of `cols` columns. Whole tiles, nearly all there are, take
 * one branch: with a branch a row, products over few channels (attention) would wait for them.
 */
function store(rows: number, width: number): string {
  const add = (i: number) =>
    range(width)
      .map((j) => `a${i}_${j} = f32x4.add(a${i}_${j}, v128.load(res, ${16 * j}));`)
      .join(" ");
  const whole = range(rows).flatMap((i) => [
    `    ${range(width)
      .map((j) => `v128.store(y, a${i}_${j}, ${16 * j});`)
      .join(" ")} y += yld;`,
  ]);
  const part = range(rows).flatMap((i) => [
    `    if (rows > ${i}) {`,
    ...range(width).map((j) =>
      j === 0
        ? `      storeLanes(y, a${i}_0, cols);`
        : `      if (cols > ${4 * j}) storeLanes(y + ${16 * j}, a${i}_${j}, cols - ${4 * j});`,
    ),
    "      y += yld;",
    "    }",
  ]);
  return lines([
    "  if (res) {",
    ...range(rows).map((i) => `    if (rows > ${i}) { ${add(i)} res += yld; }`),
    "  }",
    `  if (rows == ${rows} && cols == ${4 * width}) {`,
    ...whole,
    "  } else {",
    ...part,
    "  }",
  ]);
}

const accumulators = (rows: number, width: number, start: (row: number) => string) =>
  lines(
    range(rows).map(
      (i) =>
        `  let a${i}_0 = ${start(i)};${range(width)
          .slice(1)
          .map((j) => ` let a${i}_${j} = a${i}_0;`)
          .join("")}`,
    ),
  );

const loadX = (width: number) =>
  range(width)
    .map((j) => `const x${j} = v128.load(x, ${16 * j});`)
    .join(" ");

const multiply = (row: number, width: number, weight: string) =>
  `    s = v128.load_splat<f32>(${weight}); ${range(width)
    .map((j) => `a${row}_${j} = madd(s, x${j}, a${row}_${j});`)
    .join(" ")}`;

/** y[rows, cols] = W·x + bias (+ res): the weights of all rows for one k lie together, `wst` bytes apart for the next k. */
function panel(rows: number, width: number): string {
  return lines([
    `export function panel_${width}(rows: i32, cols: i32, K: i32, x: usize, xld: usize, w: usize, wst: usize, bias: usize, y: usize, yld: usize, res: usize): void {`,
    accumulators(rows, width, (i) => `bias ? v128.load_splat<f32>(bias, ${4 * i}) : zero()`),
    "  let s: v128;",
    "  for (let k = 0; k < K; k++) {",
    `    ${loadX(width)}`,
    ...range(rows).map((i) => multiply(i, width, `w, ${4 * i}`)),
    "    x += xld; w += wst;",
    "  }",
    store(rows, width),
    "}",
  ]);
}

/** Two panels against one vector: enough independent sums to hide the multiply-add's latency. */
function twoPanels(rows: number): string {
  return lines([
    "export function panels_1(K: i32, x: usize, xld: usize, w: usize, w2: usize, bias: usize, y: usize, yld: usize, res: usize): void {",
    `  const rows = ${2 * rows}, cols = 4;`,
    accumulators(2 * rows, 1, (i) => `bias ? v128.load_splat<f32>(bias, ${4 * i}) : zero()`),
    "  let s: v128;",
    "  for (let k = 0; k < K; k++) {",
    `    ${loadX(1)}`,
    ...range(2 * rows).map((i) => multiply(i, 1, i < rows ? `w, ${4 * i}` : `w2, ${4 * (i - rows)}`)),
    `    x += xld; w += ${4 * rows}; w2 += ${4 * rows};`,
    "  }",
    store(2 * rows, 1),
    "}",
  ]);
}

/** y[rows, cols] = alpha·(A·x) with A's rows `ars` bytes and its columns `aks` bytes apart; alpha per column. */
function strided(rows: number, width: number): string {
  return lines([
    `export function strided_${width}(rows: i32, cols: i32, K: i32, x: usize, xld: usize, a: usize, ars: usize, aks: usize, y: usize, yld: usize, ${range(
      width,
    )
      .map((j) => `alpha${j}: v128`)
      .join(", ")}): void {`,
    "  const res: usize = 0;",
    accumulators(rows, width, () => "zero()"),
    // Rows that are not there read the last one that is.
    `  const p0 = a; ${range(rows)
      .slice(1)
      .map((i) => `const p${i} = rows > ${i} ? p${i - 1} + ars : p${i - 1};`)
      .join(" ")}`,
    "  let s: v128; let d: usize = 0;",
    "  for (let k = 0; k < K; k++) {",
    `    ${loadX(width)}`,
    ...range(rows).map((i) => multiply(i, width, `p${i} + d`)),
    "    x += xld; d += aks;",
    "  }",
    ...range(rows).map((i) =>
      range(width)
        .map((j) => `  a${i}_${j} = f32x4.mul(a${i}_${j}, alpha${j});`)
        .join(" "),
    ),
    store(rows, width),
    "}",
  ]);
}

/**
 * y[keys, 4·width queries] = K·x, `rows` keys at a time while there are as many, and under `tops` the largest of each
 * query's. Gives the number of keys done. The loop over keys is in here because products over few channels take hardly
 * longer than a call with its cases, and the maxima because the units for sums have nothing else to do.
 */
function scores(rows: number, width: number): string {
  const most = (values: readonly string[]): string => {
    if (values.length === 1) return values[0]!;
    const half = values.length >> 1;
    return `most(${most(values.slice(0, half))}, ${most(values.slice(half))})`;
  };
  return lines([
    `export function scores_${width}(S: i32, C: i32, x: usize, keys: usize, kc: usize, y: usize, tops: usize): i32 {`,
    ...range(width).map((j) => `  let m${j} = f32x4.splat(-Infinity);`),
    "  let j = 0, s: v128;",
    `  for (; j + ${rows} <= S; j += ${rows}) {`,
    accumulators(rows, width, () => "zero()"),
    "    let p = x, k = keys;",
    "    for (let c = 0; c < C; c++) {",
    `    ${loadX(width).replaceAll("(x,", "(p,")}`,
    ...range(rows).map((i) => multiply(i, width, `k, ${4 * i}`)),
    `      p += ${16 * width}; k += kc;`,
    "    }",
    ...range(width).map((j) => `    m${j} = most(m${j}, ${most(range(rows).map((i) => `a${i}_${j}`))});`),
    ...range(rows).flatMap((i) =>
      range(width).map((j) => `    v128.store(y, a${i}_${j}, ${16 * (width * i + j)});`),
    ),
    `    y += ${16 * width * rows}; keys += ${4 * rows};`,
    "  }",
    ...range(width).map((j) => `  v128.store(tops, m${j}, ${16 * j});`),
    "  return j;",
    "}",
  ]);
}

/**
 * Rows of a sparse matrix against `width` vectors. `rows` holds for each row { bytes of values, byte offset in y, byte
 * offset in bias, rows in it }; `offsets` where each value's x begins. Four weights come with one load and are spread by
 * shuffles, offsets two at a time (iTransformer, batch 1, 90 % zeros: 0.32 → 0.22 ms against single loads).
 */
function sparseRow(width: number): string {
  // Few vectors leave registers for several independent sums.
  const sums = width <= 2 ? 4 : width <= 4 ? 2 : 1;
  const step = (q: number) => {
    const offset =
      q % 2 === 0
        ? `pair = load<u64>(offsets, ${4 * q}); p = x + <usize>pair;`
        : "p = x + <usize>(pair >> 32);";
    const sum = (j: number) => `a${q % sums}_${j}`;
    return `      s = v128.shuffle<f32>(four, four, ${q}, ${q}, ${q}, ${q}); ${offset} ${range(width)
      .map((j) => `${sum(j)} = madd(s, v128.load(p, ${16 * j}), ${sum(j)});`)
      .join(" ")}`;
  };
  return lines([
    `function sparse_${width}(N: i32, x: usize, rows: usize, offsets: usize, values: usize, bias: usize, y: usize, res: usize): void {`,
    "  let s: v128, p: usize, pair: u64;",
    "  for (let n = 0; n < N; n++) {",
    "    const bytes = <usize>load<u32>(rows), to = <usize>load<u32>(rows, 4);",
    "    const fours = values + (bytes & ~15), end = values + bytes;",
    `    let a0_0 = bias ? v128.load_splat<f32>(bias + <usize>load<u32>(rows, 8)) : zero();${range(width)
      .slice(1)
      .map((j) => ` let a0_${j} = a0_0;`)
      .join("")}`,
    ...range(sums)
      .slice(1)
      .map(
        (q) =>
          `    ${range(width)
            .map((j) => `let a${q}_${j} = zero();`)
            .join(" ")}`,
      ),
    "    rows += 16;",
    "    for (; values < fours; values += 16, offsets += 16) {",
    "      const four = v128.load(values);",
    ...range(4).map(step),
    "    }",
    ...range(sums)
      .slice(1)
      .map(
        (q) =>
          `    ${range(width)
            .map((j) => `a0_${j} = f32x4.add(a0_${j}, a${q}_${j});`)
            .join(" ")}`,
      ),
    "    for (; values < end; values += 4, offsets += 4) {",
    "      s = v128.load_splat<f32>(values); p = x + <usize>load<u32>(offsets);",
    `      ${range(width)
      .map((j) => `a0_${j} = madd(s, v128.load(p, ${16 * j}), a0_${j});`)
      .join(" ")}`,
    "    }",
    "    p = y + to;",
    `    if (res) { const r = res + to; ${range(width)
      .map((j) => `a0_${j} = f32x4.add(a0_${j}, v128.load(r, ${16 * j}));`)
      .join(" ")} }`,
    `    ${range(width)
      .map((j) => `v128.store(p, a0_${j}, ${16 * j});`)
      .join(" ")}`,
    "  }",
    "}",
  ]);
}

/**
 * Blocks of `rows` outputs × 1 input: each loaded vector of x serves all rows. With two rows x streams through one
 * register between two held weights (naively unrolled it spills, and takes twice as long).
 */
function sparseBlock(rows: number, width: number): string {
  const body =
    rows === 2
      ? [
          "      const w0 = v128.load_splat<f32>(values), w1 = v128.load_splat<f32>(values, 4);",
          ...range(width).map(
            (j) =>
              `      s = v128.load(p, ${16 * j}); a0_${j} = madd(w0, s, a0_${j}); a1_${j} = madd(w1, s, a1_${j});`,
          ),
        ]
      : [
          `      ${range(width)
            .map((j) => `const x${j} = v128.load(p, ${16 * j});`)
            .join(" ")}`,
          ...range(rows).map((i) => `  ${multiply(i, width, `values, ${4 * i}`)}`),
        ];
  return lines([
    `function sparse${rows}_${width}(N: i32, x: usize, rows: usize, offsets: usize, values: usize, bias: usize, y: usize, res: usize, yld: usize): void {`,
    "  let s: v128, p: usize;",
    "  for (let n = 0; n < N; n++) {",
    "    const end = values + <usize>load<u32>(rows), to = <usize>load<u32>(rows, 4), inIt = load<i32>(rows, 12);",
    "    const b = bias + <usize>load<u32>(rows, 8);",
    accumulators(rows, width, (i) => `bias ? v128.load_splat<f32>(b, ${4 * i}) : zero()`),
    "    rows += 16;",
    `    for (; values < end; values += ${4 * rows}, offsets += 4) {`,
    "      p = x + <usize>load<u32>(offsets);",
    ...body,
    "    }",
    "    p = y + to; let r = res + to;",
    ...range(rows).map((i) =>
      lines([
        `    if (inIt > ${i}) {`,
        `      if (res) { ${range(width)
          .map((j) => `a${i}_${j} = f32x4.add(a${i}_${j}, v128.load(r, ${16 * j}));`)
          .join(" ")} }`,
        `      ${range(width)
          .map((j) => `v128.store(p, a${i}_${j}, ${16 * j});`)
          .join(" ")}`,
        "      p += yld; r += yld;",
        "    }",
      ]),
    ),
    "  }",
    "}",
  ]);
}

/**
 * Sparse rows where features lie so far apart that each would be on a page of its own: strips of 4 vectors of x are
 * brought together first, `offsets` count within a strip.
 */
function strips(name: string, kernel: string, widths: readonly number[], extra = ""): string {
  const largest = Math.min(sparseStrip, widths.at(-1)!);
  const parameter = extra === "" ? "" : `, ${extra}: usize`;
  const argument = extra === "" ? "" : `, ${extra}`;
  return lines([
    `export function ${name}(V: i32, N: i32, K: i32, x: usize, xld: usize, rows: usize, offsets: usize, values: usize, bias: usize, y: usize, res: usize, strip: usize${parameter}): void {`,
    "  while (V > 0) {",
    `    const width = V <= ${largest} ? V : V < ${2 * largest} ? (V + 1) >> 1 : ${largest};`,
    "    let from = x, to = strip;",
    "    for (let k = 0; k < K; k++) {",
    // All of the strip, for no loop as short as this is worth its branches: a pass of few vectors leaves the rest unread.
    `      ${range(sparseStrip)
      .map((j) => `v128.store(to, v128.load(from, ${16 * j}), ${16 * j});`)
      .join(" ")}`,
    `      from += xld; to += ${16 * sparseStrip};`,
    "    }",
    "    switch (width) {",
    ...widths
      .filter((width) => width <= largest)
      .map(
        (width) =>
          `      case ${width}: ${kernel}_${width}(N, strip, rows, offsets, values, bias, y, res${argument}); break;`,
      ),
    "      default: unreachable();",
    "    }",
    "    V -= width;",
    "    x += <usize>width << 4; y += <usize>width << 4;",
    "    if (res) res += <usize>width << 4;",
    "  }",
    "}",
  ]);
}

/** Cuts the vectors of tokens into passes of widths there are kernels for, none of them small beside a large one. */
function dispatch(name: string, kernel: string, widths: readonly number[], extra = ""): string {
  const largest = widths.at(-1)!;
  const parameter = extra === "" ? "" : `, ${extra}: usize`;
  const argument = extra === "" ? "" : `, ${extra}`;
  return lines([
    `export function ${name}(V: i32, N: i32, x: usize, rows: usize, offsets: usize, values: usize, bias: usize, y: usize, res: usize${parameter}): void {`,
    "  while (V > 0) {",
    "    let width = V;",
    `    if (V > ${largest}) width = V >= ${2 * largest} ? ${largest} : (V + 1) >> 1;`,
    "    switch (width) {",
    ...widths.map(
      (width) =>
        `      case ${width}: ${kernel}_${width}(N, x, rows, offsets, values, bias, y, res${argument}); break;`,
    ),
    "      default: unreachable();",
    "    }",
    "    V -= width;",
    "    x += <usize>width << 4; y += <usize>width << 4;",
    "    if (res) res += <usize>width << 4;",
    "  }",
    "}",
  ]);
}
