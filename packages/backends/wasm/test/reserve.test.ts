import { describe, expect, it } from "vitest";
import { Reserve } from "../src/threads/reserve.ts";

const set = { first: 0, count: 2 };

describe("a thread with workers", () => {
  it("calls upon them as long as they save time", () => {
    const reserve = new Reserve();
    const fastest = new Map<number, number>();
    for (let now = 0; now < 10; now++) {
      expect(reserve.isOver(now)).toBe(true);
      reserve.learn(now, fastest, { ...set, own: 1, ownTime: 0.5, time: 0.55 });
    }
  });

  it("works alone forty times as long as it lost, and then tries again", () => {
    const reserve = new Reserve();
    // Alone: 1 ms. A worker was away in the midst of its part.
    reserve.learn(100, new Map(), { ...set, own: 1, ownTime: 0.5, time: 6 });
    expect(reserve.isOver(100)).toBe(false);
    expect(reserve.isOver(299)).toBe(false);
    expect(reserve.isOver(300)).toBe(true);
  });

  it("knows from its best run what it would take alone, although its processor was taken away this time", () => {
    const reserve = new Reserve();
    const fastest = new Map<number, number>();
    reserve.learn(0, fastest, { ...set, own: 2, ownTime: 1, time: 1 });
    reserve.learn(100, fastest, { ...set, own: 1, ownTime: 4, time: 4 });
    expect(reserve.isOver(219)).toBe(false);
    expect(reserve.isOver(220)).toBe(true);
  });

  it("blames nobody for what it did alone, and asks again after twenty seconds at the latest", () => {
    const reserve = new Reserve();
    const fastest = new Map([[0, 0.5]]);
    reserve.learn(0, fastest, { ...set, own: 2, ownTime: 50, time: 50 });
    expect(reserve.isOver(0)).toBe(true);
    reserve.learn(0, fastest, { ...set, own: 0, ownTime: 0, time: 5000 });
    expect(reserve.isOver(19_999)).toBe(false);
    expect(reserve.isOver(20_000)).toBe(true);
  });
});
