import type { Width, Writer } from "./writer.ts";

/** A number as WGSL has it in f32. */
export function literal(value: number): string {
  const rounded = Math.fround(value);
  return rounded < 0 ? `(${rounded}f)` : `${rounded}f`;
}

export const floats = (width: Width): string => (width === 1 ? "f32" : "vec4f");

/** x·Φ(x). */
export function gelu(writer: Writer, width: Width): string {
  normalCdf(writer, width);
  const T = floats(width);
  return writer.helper(
    `gelu${width}`,
    `fn gelu${width}(x: ${T}) -> ${T} { return x * normalCdf${width}(x); }`,
  );
}

/** Φ(x) + x·φ(x). */
export function geluSlope(writer: Writer, width: Width): string {
  normalCdf(writer, width);
  const T = floats(width);
  const density = `exp(-0.5f * x * x) * ${literal(1 / Math.sqrt(2 * Math.PI))}`;
  return writer.helper(
    `geluSlope${width}`,
    `fn geluSlope${width}(x: ${T}) -> ${T} { return normalCdf${width}(x) + x * ${density}; }`,
  );
}

/** Φ by way of the error function, absolute error below 1e-7 (Abramowitz and Stegun, 1964, 7.1.26). */
function normalCdf(writer: Writer, width: Width): void {
  const T = floats(width);
  writer.helper(
    `normalCdf${width}`,
    `fn normalCdf${width}(x: ${T}) -> ${T} {
  let z = abs(x) * ${literal(Math.SQRT1_2)};
  let t = 1f / (1f + 0.3275911f * z);
  let series = t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f))));
  let tail = 0.5f * series * exp(-z * z);
  return select(tail, 1f - tail, x > ${T}(0f));
}`,
  );
}

/** The error function, absolute error below 2e-7. */
export function errorFunction(writer: Writer, width: Width): string {
  normalCdf(writer, width);
  const T = floats(width);
  return writer.helper(
    `errorFunction${width}`,
    `fn errorFunction${width}(x: ${T}) -> ${T} { return 2f * normalCdf${width}(x * ${literal(Math.SQRT2)}) - 1f; }`,
  );
}

/**
 * sin(x + quarters · π ÷ 2). WGSL's own sine is good to 2⁻¹¹ only. Brought to ±π ÷ 4 by a π ÷ 2 in three parts whose
 * multiples are exact (Cody and Waite, 1980), then Taylor series whose next terms are below 3e-8.
 */
export function sine(writer: Writer, width: Width): string {
  const T = floats(width);
  const [first, second, third] = threeParts(Math.PI / 2).map(literal);
  return writer.helper(
    `sine${width}`,
    `fn sine${width}(x: ${T}, quarters: f32) -> ${T} {
  let n = round(x * ${literal(2 / Math.PI)});
  let r = ((x - n * ${first}) - n * ${second}) - n * ${third};
  let s = r * r;
  let odd = r * (1f + s * (${literal(-1 / 6)} + s * (${literal(1 / 120)} + s * (${literal(-1 / 5040)} + s * ${literal(1 / 362880)}))));
  let even = 1f + s * (-0.5f + s * (${literal(1 / 24)} + s * (${literal(-1 / 720)} + s * ${literal(1 / 40320)})));
  let m = n + quarters;
  let quadrant = m - 4f * floor(m * 0.25f);
  let isOdd = (quadrant == ${T}(1f)) | (quadrant == ${T}(3f));
  let value = select(odd, even, isOdd);
  return select(value, -value, quadrant >= ${T}(2f));
}`,
  );
}

/** A number as a sum of three, the first two of 11 bits, so that products with integers up to 2¹³ are exact. */
function threeParts(value: number): [number, number, number] {
  const short = (x: number) => {
    const unit = 2 ** (Math.floor(Math.log2(x)) - 10);
    return Math.floor(x / unit) * unit;
  };
  const first = short(value);
  const second = short(value - first);
  return [first, second, value - first - second];
}

/** xʸ as JavaScript and ONNX have it: 1 for y = 0, and for negative x where y is an integer. */
export function power(writer: Writer, width: Width): string {
  const T = floats(width);
  return writer.helper(
    `power${width}`,
    `fn power${width}(x: ${T}, y: ${T}) -> ${T} {
  let size = pow(abs(x), y);
  let whole = floor(y) == y;
  let odd = whole & (y - 2f * floor(y * 0.5f) == ${T}(1f));
  let negative = select(pow(x, y), select(size, -size, odd), whole);
  return select(select(size, negative, x < ${T}(0f)), ${T}(1f), y == ${T}(0f));
}`,
  );
}

/** core's exact hash: element `number` of the stream that seed, step and stream number make. */
export function randomHash(writer: Writer): void {
  writer.helper(
    "mix32",
    `fn mix32(x: u32) -> u32 {
  var h = x;
  h = (h ^ (h >> 16u)) * 0x85ebca6bu;
  h = (h ^ (h >> 13u)) * 0xc2b2ae35u;
  return h ^ (h >> 16u);
}`,
  );
  // Integers of any size modulo 2³², as bitwise operators of JavaScript take them. Every step is exact.
  writer.helper("whole", "fn whole(x: f32) -> u32 { return u32(x - floor(x / 4294967296f) * 4294967296f); }");
  writer.helper(
    "randomKey",
    `fn randomKey(seed: f32, step: f32, stream: u32) -> u32 {
  return mix32(mix32(mix32(whole(seed) ^ 0x9e3779b9u) ^ whole(step)) ^ stream);
}`,
  );
  writer.helper(
    "randomAt",
    `fn randomAt(key: u32, number: u32) -> f32 {
  return f32(mix32(key ^ mix32(number + 0x632be5abu)) >> 8u) / 16777216f;
}`,
  );
}

/** 1 − βᵗ without losing the digits where βᵗ is close to 1; `slope` is t · ln β, below zero. */
export function oneMinusPower(writer: Writer): string {
  return writer.helper(
    "oneMinusExp",
    `fn oneMinusExp(slope: f32) -> f32 {
  let near = -slope * (1f + slope * (0.5f + slope * (0.16666667f + slope * (0.041666668f + slope * 0.008333334f))));
  return select(1f - exp(slope), near, slope > -0.1f);
}`,
  );
}
