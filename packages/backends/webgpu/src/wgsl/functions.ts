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
