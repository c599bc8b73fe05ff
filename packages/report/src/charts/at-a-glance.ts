import { contestants } from "../front.ts";
import type { Section } from "../section.ts";
import { allowances } from "../verdicts.ts";
import { legend } from "./legend.ts";
import { type Point, panel } from "./panel.ts";
import { chart, type Look, type Spec } from "./theme.ts";

/** Width and height: two charts fit side by side on a page, or below each other on a phone. */
const width = 370;
/** Minimum and maximum error above the reference at which the frame ends. */
const [lowest, highest] = [0.08, 0.4];
const shares = [0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.2, 0.3, 0.5, 0.7, 1];

/** The overview chart of a section: the size of each model against its error, relative to the reference. */
export function atAGlance(section: Section, looks: readonly Look[], tunings: readonly string[]): Spec {
  const all = contestants(section).map(({ run, size, error }): Point => {
    const cost = error / run.reference - 1;
    return {
      strategy: run.strategy,
      tuning: run.tuning,
      met: run.met,
      x: size,
      y: cost,
      xSpread: 0,
      ySpread: run.after.mse.spread / run.reference,
      order: run.sparsity,
    };
  });
  const shown = all.filter(({ y }) => y <= highest);
  const top = Math.max(lowest, ...shown.map(({ y }) => y * 1.08));
  const bottom = Math.min(-0.02, ...shown.map(({ y }) => y - 0.01));
  const left = Math.min(0.5, ...shown.map(({ x }) => x)) * 0.85;
  const body = panel({
    width,
    height: 230,
    x: {
      title: "size as stored, relative to the dense model (log scale)",
      format: "%",
      domain: [left, 1.1],
      log: true,
      ticks: shares.filter((share) => share >= left),
    },
    y: { title: "test MSE relative to the reference", format: "%", domain: [bottom, top] },
    points: shown,
    levels: [0, ...allowances].map((value) => ({
      value,
      spread: 0,
      label: value === 0 ? "" : `+${100 * value} %`,
    })),
    looks,
    tunings,
  });
  const beyond = all.length - shown.length;
  return chart(
    section.title,
    "Error against size",
    `Best is bottom left.${beyond === 0 ? "" : ` Off the frame: ${beyond}.`}`,
    {
      vconcat: [legend(looks, { tunings, hollow: shown.some(({ met }) => !met), width }), body],
      spacing: 10,
    },
    42,
  );
}
