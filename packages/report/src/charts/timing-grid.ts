import type { Section, TimingRow } from "../section.ts";
import { type LegendOptions, legend } from "./legend.ts";
import type { Look, Spec } from "./theme.ts";

/** One panel for each timed backend (row) and batch size (column), under one legend. */
export function timingGrid(
  { timings }: Section,
  looks: readonly Look[],
  key: Omit<LegendOptions, "width" | "hollow">,
  draw: (rows: readonly TimingRow[], title: string, width: number) => Spec,
): Spec {
  const batches = [...new Set(timings.map(({ batch }) => batch))].sort((a, b) => a - b);
  const backends = [...new Set(timings.map(({ backend }) => backend))];
  const width = Math.max(180, Math.min(370, Math.floor(800 / batches.length) - 30));
  const grid = {
    vconcat: backends.map((backend) => ({
      hconcat: batches.flatMap((batch) => {
        const rows = timings.filter((row) => row.backend === backend && row.batch === batch);
        return rows.length === 0 ? [] : [draw(rows, `${backend}, batch ${batch}`, width)];
      }),
    })),
  };
  const hollow = timings.some(({ met }) => !met);
  return { vconcat: [legend(looks, { ...key, hollow, width: 820 }), grid], spacing: 12 };
}
