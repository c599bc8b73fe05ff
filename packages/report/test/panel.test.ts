import { expect, it } from "vitest";
import { panel, type Spec } from "../src/index.ts";

const height = 240;
const labelled = (values: readonly number[], log: boolean) => {
  const [low, high] = [0.1, 10];
  const axis = { title: "", format: "", domain: [low, high] as const };
  const levels = values.map((value, i) => ({ value, spread: 0, label: `level ${i}` }));
  const spec = panel({
    ...{ width: 300, height, x: axis, y: { ...axis, log } },
    ...{ points: [], levels, looks: [], tunings: [] },
  });
  const marks = (spec.layer as Spec[])
    .map(({ mark }) => mark as Spec)
    .filter(({ type, stroke }) => type === "text" && !stroke);
  const scale = log ? Math.log : (x: number) => x;
  const line = (value: number) => (height * (scale(high) - scale(value))) / (scale(high) - scale(low));
  return values.map((value, i) => line(value) + (marks[i]!.dy as number));
};

it.each([true, false])("labels of neighbouring levels do not lie on each other (log scale: %s)", (log) => {
  for (const values of [[1, 1.02, 0.98, 1], [9.9, 9.8, 9.7], [0.1, 0.1, 5], [3]]) {
    const at = labelled(values, log);
    const sorted = at.toSorted((a, b) => a - b);
    sorted.forEach((baseline, i) => {
      expect(baseline).toBeGreaterThan(11);
      expect(baseline).toBeLessThan(height);
      if (i > 0) expect(baseline - sorted[i - 1]!).toBeGreaterThan(11.5);
    });
    // Labels are ordered as their lines are.
    values.forEach((a, i) => {
      values.forEach((b, j) => {
        if (a > b) expect(at[i]!).toBeLessThan(at[j]!);
      });
    });
  }
});

it("a label alone stands just above its line", () => {
  const [at] = labelled([1], true);
  expect(at).toBeCloseTo(height / 2 - 4);
});
