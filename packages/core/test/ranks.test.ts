import { describe, expect, it } from "vitest";
import { createSha256, Sha256 } from "../src/model/digest.ts";
import { randomStream } from "../src/operators/random.ts";
import { bitsAbove, findRank, rankScores } from "../src/pruning/ranks.ts";

/** Scores with many ties, zeros of both signs, and some that come before all others. */
function draw(seed: number, length: number): Float32Array {
  const random = randomStream(seed, "scores");
  return Float32Array.from({ length }, () => {
    const kind = random();
    if (kind < 0.1) return -1;
    if (kind < 0.15) return -0;
    if (kind < 0.2) return 0;
    return kind < 0.6 ? Math.ceil(8 * random()) / 8 : random() ** 8;
  });
}

/** As the bits order them, zeros alike. */
const ascending = (scores: Float32Array) => Float32Array.from(scores, (x) => x + 0).sort();

describe("ranks of scores", () => {
  const lists = [draw(1, 1000), draw(2, 37), draw(3, 1), draw(4, 4099)];

  it("finds what sorting all lists together finds", () => {
    const ranked = lists.map(rankScores);
    const sorted = ascending(Float32Array.from(lists.flatMap((list) => [...list])));
    const before = sorted.filter((x) => x < 0).length;
    for (const rank of [before + 1, before + 2, before + 300, 2500, sorted.length - 1, sorted.length]) {
      const { threshold, below, upTo } = findRank(ranked, rank);
      expect(threshold).toBe(sorted[rank - 1]!);
      expect(below).toEqual(lists.map((list) => list.filter((x) => x < threshold).length));
      expect(upTo).toEqual(lists.map((list) => list.filter((x) => x <= threshold).length));
    }
  });

  it("keeps what a stable sort puts behind a rank", () => {
    for (const scores of lists) {
      const order = Array.from(scores.keys()).sort((a, b) => scores[a]! - scores[b]! || a - b);
      const ranked = rankScores(scores);
      for (let rank = ranked.before + 1; rank <= scores.length; rank += Math.ceil(scores.length / 97)) {
        const { bits } = bitsAbove(ranked, rank);
        const kept = new Set(order.slice(rank));
        scores.forEach((_, i) => {
          expect((bits[i >> 3]! >> (i & 7)) & 1, `element ${i} at rank ${rank}`).toBe(kept.has(i) ? 1 : 0);
        });
      }
    }
  });
});

it("hashes with the platform as in JavaScript", () => {
  const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i * 7);
  const parts = [0, 1, 55, 56, 63, 64, 65, 200, 496];
  for (const upTo of parts.keys()) {
    const [platform, own] = [createSha256(), new Sha256()];
    let at = 0;
    for (const size of parts.slice(0, upTo + 1)) {
      for (const hash of [platform, own]) hash.update(bytes.subarray(at, at + size));
      at += size;
    }
    for (const hash of [platform, own]) hash.text("größer");
    expect(own.digest()).toBe(platform.digest());
  }
});
