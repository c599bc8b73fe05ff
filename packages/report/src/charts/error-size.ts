import { contestants, frontOf } from "../front.ts";
import { formatError, formatShare } from "../numbers.ts";
import type { Section } from "../section.ts";
import { errorScale } from "./error-sparsity.ts";
import { legend } from "./legend.ts";
import { type Point, panel } from "./panel.ts";
import { chart, ink, type Look, muted, paper, type Spec } from "./theme.ts";

const width = 780;

/**
 * Error against size as stored: every model, the front of models that no other beats in both, and a band with the
 * strategies of the front.
 */
export function errorSize(section: Section, looks: readonly Look[], tunings: readonly string[]): Spec {
  const all = contestants(section);
  const front = frontOf(all);
  const { mse } = section.dense.errors;
  const domain: [number, number] = [0, Math.max(1, ...all.map(({ size }) => size)) * 1.03];
  const x = { title: "size as stored, relative to the dense model", format: "%", domain };
  const y = errorScale("mse", [mse, ...all.map(({ run }) => run.after.mse)]);
  const points = all.map(
    ({ run, size }): Point => ({
      strategy: run.strategy,
      tuning: run.tuning,
      met: run.met,
      x: size,
      y: run.after.mse.mean,
      xSpread: 0,
      ySpread: run.after.mse.spread,
      order: run.sparsity,
    }),
  );
  const body = panel({
    width,
    height: 300,
    x: { ...x, title: "" },
    y,
    points,
    levels: [{ value: mse.mean, spread: mse.spread, label: `dense ${formatError(mse.mean)}` }],
    looks,
    tunings,
  });
  const ends = front.map(({ size, error }, i) => ({
    from: size,
    to: front[i + 1]?.size ?? domain[1],
    error,
    next: front[i + 1]?.error ?? error,
  }));
  const stairs: Spec[] = [
    {
      data: { values: ends },
      mark: { type: "rule", color: ink, strokeWidth: 1.2, strokeOpacity: 0.75, clip: true },
      encoding: { x: { field: "from" }, x2: { field: "to" }, y: { field: "error" } },
    },
    {
      data: { values: ends },
      mark: { type: "rule", color: ink, strokeWidth: 1.2, strokeOpacity: 0.75, clip: true },
      encoding: { x: { field: "to" }, y: { field: "error" }, y2: { field: "next" } },
    },
  ];
  const key = { tunings, hollow: points.some(({ met }) => !met), width };
  return chart(
    "Error against size: which strategy is best where",
    section.title,
    "Stairs: the least error at each size. Band: the strategy that reaches it.",
    {
      vconcat: [
        legend(looks, key),
        { ...body, encoding: withoutAxis(body), layer: [...stairs, ...(body.layer as readonly Spec[])] },
        band(front, looks, domain),
      ],
      spacing: 12,
    },
  );
}

/** The axis is at the band below. */
function withoutAxis({ encoding }: Spec): Spec {
  const { x, ...rest } = encoding as { readonly x: Spec };
  return { ...rest, x: { ...x, axis: null } };
}

function band(front: ReturnType<typeof frontOf>, looks: readonly Look[], domain: [number, number]): Spec {
  const spans = front.flatMap(({ run, size }, i) => {
    const before = front[i - 1];
    return before?.run.strategy === run.strategy ? [] : [{ strategy: run.strategy, from: size }];
  });
  const values = spans.map(({ strategy, from }, i) => {
    const to = spans[i + 1]?.from ?? domain[1];
    const room = (width * (to - from)) / domain[1];
    return {
      from,
      to,
      middle: (from + to) / 2,
      fill: looks.find((look) => look.strategy === strategy)?.color ?? muted,
      text: room > 8 * strategy.length ? strategy : "",
    };
  });
  return {
    width,
    height: 20,
    data: { values },
    encoding: {
      x: {
        type: "quantitative",
        scale: { domain, nice: false },
        axis: {
          title: "size as stored, relative to the dense model",
          labelExpr: "format(100 * datum.value, '.3~g') + ' %'",
          tickCount: 6,
        },
      },
    },
    layer: [
      {
        mark: { type: "rect", stroke: paper, strokeWidth: 1 },
        encoding: {
          x: { field: "from" },
          x2: { field: "to" },
          y: { value: 0 },
          y2: { value: 20 },
          fill: { field: "fill", type: "nominal", scale: null },
        },
      },
      {
        mark: { type: "text", color: paper, fontSize: 11, fontWeight: 600 },
        encoding: { x: { field: "middle" }, y: { value: 10 }, text: { field: "text" } },
      },
    ],
  };
}

/** The chart in words, for readers who cannot see it. */
export function errorSizeAlt(section: Section): string {
  const steps = frontOf(contestants(section)).map(
    ({ run, size, error }) =>
      `${run.strategy} from ${formatShare(size)} of the size on, MSE ${formatError(error)}`,
  );
  return `Marks: test MSE against size as stored. Best: ${steps.join("; ")}.`;
}
