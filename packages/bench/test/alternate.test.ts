import { describe, expect, it } from "vitest";
import { alternate, type Contender, ratioOf } from "../src/measure/alternate.ts";

const wait = (milliseconds: number) => {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
};

/** Contenders that note when it is their turn. */
function contenders(times: Readonly<Record<string, number>>): { all: Contender[]; turns: string[] } {
  const turns: string[] = [];
  const all = Object.entries(times).map(([name, milliseconds]) => ({
    name,
    async run() {
      if (turns.at(-1) !== name) turns.push(name);
      wait(milliseconds);
    },
  }));
  return { all, turns };
}

describe("contenders that take turns", () => {
  it("go forwards and backwards, and each has a median a round", async () => {
    const { all, turns } = contenders({ a: 0.1, b: 0.1, c: 0.1 });
    const done: number[] = [];
    const measured = await alternate(all, { time: 6, samples: 6, rounds: 3, onRound: (n) => done.push(n) });
    expect(turns.join("")).toMatch(/^(abc)?abcbabc$/);
    expect(done).toEqual([1, 2, 3]);
    for (const { timing, rounds } of measured) {
      expect(rounds).toHaveLength(3);
      expect(timing.samples).toBeGreaterThanOrEqual(6);
      expect(timing.median).toBeGreaterThanOrEqual(0.1);
    }
  });

  it("are compared round by round", async () => {
    const { all } = contenders({ slow: 1.5, fast: 0.5 });
    const [slow, fast] = await alternate(all, { time: 30, samples: 9, rounds: 3 });
    expect(ratioOf(slow!, fast!).median).toBeGreaterThan(1.5);
    const rounds = (numbers: number[]) => ({ timing: { median: 0, spread: 0, samples: 1 }, rounds: numbers });
    // A slow moment of the machine in round two changes nothing.
    expect(ratioOf(rounds([4, 400, 4]), rounds([2, 200, 1])).median).toBe(2);
  });

  it("stop where the signal says so, and pass errors on", async () => {
    const { all } = contenders({ a: 0.1 });
    await expect(alternate(all, { time: 5, samples: 3, signal: AbortSignal.abort() })).rejects.toThrow();
    const failing: Contender = { name: "broken", run: () => Promise.reject(new Error("no memory")) };
    await expect(alternate([failing], { time: 5, samples: 3 })).rejects.toThrow("no memory");
  });
});
