/**
 * An instrument: the same kernels with every arithmetic instruction on vectors replaced by a function that also counts
 * where an operand or the result is subnormal, or would be but for rounding to zero. That is what an Intel core spends some
 * 150 cycles on, whatever the machine that this runs on spends. Scalars (sums of a row) are not watched.
 */
const instructions = ["add", "sub", "mul", "div", "sqrt", "relaxed_madd"] as const;

/** A source file with its instructions replaced; the index also exports the counter. */
export function watched(name: string, source: string): string {
  const called = instructions.filter((one) => source.includes(`f32x4.${one}(`));
  const names = called.map((one) => `audit_${one}`).join(", ");
  const counter = name === "index.ts" ? '\nexport { operations, subnormals } from "./audit";\n' : "";
  const replaced = source.replace(/f32x4\.(add|sub|mul|div|sqrt|relaxed_madd)\(/g, "audit_$1(");
  return `${names === "" ? "" : `import { ${names} } from "./audit";\n`}${replaced}${counter}`;
}

/** The functions in their place. Nothing is counted twice: an operation on vectors is one operation. */
export const auditSource = `
let count: f64 = 0;
let all: f64 = 0;

/** Operations that met a subnormal number since this was asked last. */
export function subnormals(): f64 {
  const counted = count;
  count = 0;
  return counted;
}

/** All operations since this was asked last. */
export function operations(): f64 {
  const counted = all;
  all = 0;
  return counted;
}

// @ts-ignore: decorator
@inline function subnormal(x: v128): v128 {
  const size = v128.and(x, i32x4.splat(0x7fffffff));
  return v128.and(i32x4.gt_s(size, i32x4.splat(0)), i32x4.lt_s(size, i32x4.splat(0x00800000)));
}

// @ts-ignore: decorator
@inline function nonzero(x: v128): v128 {
  return f32x4.ne(x, f32x4.splat(0));
}

// @ts-ignore: decorator
@inline function finite(x: v128): v128 {
  return f32x4.lt(f32x4.abs(x), f32x4.splat(Infinity));
}

function note(lanes: v128): void {
  all++;
  if (v128.any_true(lanes)) count++;
}

export function audit_add(a: v128, b: v128): v128 {
  const y = f32x4.add(a, b);
  note(v128.or(v128.or(subnormal(a), subnormal(b)), subnormal(y)));
  return y;
}

export function audit_sub(a: v128, b: v128): v128 {
  const y = f32x4.sub(a, b);
  note(v128.or(v128.or(subnormal(a), subnormal(b)), subnormal(y)));
  return y;
}

export function audit_mul(a: v128, b: v128): v128 {
  const y = f32x4.mul(a, b);
  const lost = v128.andnot(v128.and(nonzero(a), nonzero(b)), nonzero(y));
  note(v128.or(v128.or(subnormal(a), subnormal(b)), v128.or(subnormal(y), lost)));
  return y;
}

export function audit_div(a: v128, b: v128): v128 {
  const y = f32x4.div(a, b);
  const lost = v128.andnot(v128.and(nonzero(a), finite(b)), nonzero(y));
  note(v128.or(v128.or(subnormal(a), subnormal(b)), v128.or(subnormal(y), lost)));
  return y;
}

export function audit_sqrt(a: v128): v128 {
  note(subnormal(a));
  return f32x4.sqrt(a);
}

export function audit_relaxed_madd(a: v128, b: v128, c: v128): v128 {
  const y = f32x4.relaxed_madd(a, b, c);
  const lost = v128.andnot(v128.and(v128.and(nonzero(a), nonzero(b)), f32x4.eq(c, f32x4.splat(0))), nonzero(y));
  note(v128.or(v128.or(v128.or(subnormal(a), subnormal(b)), subnormal(c)), v128.or(subnormal(y), lost)));
  return y;
}
`;
