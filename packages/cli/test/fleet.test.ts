import { describe, expect, it } from "vitest";
import { espalier, words } from "./espalier.ts";

describe("a sweep on many machines", () => {
  it.each([
    ["worker", "give --queue postgres://user@host/database, or set ESPALIER_QUEUE."],
    ["queue --cancel x", "give --queue postgres://user@host/database, or set ESPALIER_QUEUE."],
    ["worker --queue db.example", "--queue must be the URL of a PostgreSQL database"],
    [
      "queue --queue postgres://me:sesame@127.0.0.1:1/db",
      "queue 127.0.0.1:1/db: no PostgreSQL answers (ECONNREFUSED).",
    ],
    [
      "sweep --queue postgres://me:sesame@127.0.0.1:1/db",
      "queue 127.0.0.1:1/db: no PostgreSQL answers (ECONNREFUSED).",
    ],
    ["worker --only train", "Allowed choices are train,prune, latency."],
  ])("%s is answered by one line", async (line, message) => {
    const { code, stdout, stderr } = await espalier(words(line));
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^espalier: [^\n]+\n$/);
    expect(stderr).toContain(message);
    expect(stderr).not.toContain("sesame");
  });
});
