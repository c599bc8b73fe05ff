import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { planArena } from "../src/memory/arena.ts";
import { alignment, Blocks } from "../src/memory/blocks.ts";

const lifetime = fc
  .record({ bytes: fc.integer({ min: 1, max: 5000 }), first: fc.nat(20), length: fc.nat(8) })
  .map(({ bytes, first, length }) => ({ bytes, first, last: first + length }));

describe("the arena", () => {
  it("never gives two values that live at once the same place", () => {
    fc.assert(
      fc.property(fc.array(lifetime, { maxLength: 40 }), (lifetimes) => {
        const { offsets, bytes } = planArena(lifetimes);
        lifetimes.forEach((a, i) => {
          expect(offsets[i]! + a.bytes).toBeLessThanOrEqual(bytes);
          expect(offsets[i]! % alignment).toBe(0);
          lifetimes.slice(0, i).forEach((b, j) => {
            if (a.first > b.last || b.first > a.last) return;
            const apart = offsets[i]! + a.bytes <= offsets[j]! || offsets[j]! + b.bytes <= offsets[i]!;
            expect(apart).toBe(true);
          });
        });
      }),
    );
  });

  it("uses a place again once its value is gone", () => {
    const { bytes } = planArena([0, 2, 4, 6].map((first) => ({ bytes: 1024, first, last: first + 1 })));
    expect(bytes).toBe(1024);
  });
});

describe("blocks", () => {
  it("never overlap, and all come back as one", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ bytes: fc.integer({ min: 1, max: 900 }), give: fc.nat(5) }), { maxLength: 60 }),
        (actions) => {
          const blocks = new Blocks(100);
          const taken: { address: number; bytes: number }[] = [];
          for (const { bytes, give } of actions) {
            const address = blocks.take(bytes);
            for (const other of taken) {
              expect(address >= other.address + other.bytes || address + bytes <= other.address).toBe(true);
            }
            taken.push({ address, bytes });
            if (give < 3 && taken.length > 0) blocks.give(taken.splice(give % taken.length, 1)[0]!.address);
          }
          for (const { address } of taken) blocks.give(address);
          const { end } = blocks;
          if (end > 128) blocks.take(end - 128);
          expect(blocks.end).toBe(end);
        },
      ),
    );
  });
});
