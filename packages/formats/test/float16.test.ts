import { describe, expect, it } from "vitest";
import { floatToHalf, halfToFloat } from "../src/half.ts";

describe("float16", () => {
  it("goes to float32 and back unchanged, every finite number and both infinities", () => {
    for (let bits = 0; bits < 0x10000; bits++) {
      if ((bits & 0x7c00) === 0x7c00 && (bits & 1023) !== 0) expect(halfToFloat(bits)).toBeNaN();
      else if (floatToHalf(halfToFloat(bits)) !== bits) expect(floatToHalf(halfToFloat(bits))).toBe(bits);
    }
  });

  it("rounds to the nearest, ties to even", () => {
    for (let bits = 0; bits < 0x7bff; bits++) {
      const [low, high] = [halfToFloat(bits), halfToFloat(bits + 1)];
      const middle = (low + high) / 2;
      const even = bits % 2 === 0 ? bits : bits + 1;
      const got = [
        floatToHalf(middle),
        floatToHalf(low + (high - low) * 0.49),
        floatToHalf(high - (high - low) * 0.49),
      ];
      if (got.join() !== [even, bits, bits + 1].join()) expect(got).toEqual([even, bits, bits + 1]);
    }
    expect(floatToHalf(65519)).toBe(0x7bff);
    expect(floatToHalf(65520)).toBe(0x7c00);
    expect(floatToHalf(Number.NaN) & 0x7c00).toBe(0x7c00);
  });
});
