/** The number a float16 bit pattern (IEEE 754 binary16) stands for. */
export function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** The bit pattern of the float16 nearest to a number, ties to even; what is too large becomes infinite. */
export function floatToHalf(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  // Numbers of one exponent are equally far apart, so the pattern is the count of such steps; a carry is the next exponent.
  const exponent = size < 2 ** -14 ? -14 : Math.min(16, Math.floor(Math.log2(size)));
  const step = 2 ** (exponent - 10);
  const whole = roundHalfEven(size / step);
  return sign | Math.min(0x7c00, whole + ((exponent + 14) << 10));
}

function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
