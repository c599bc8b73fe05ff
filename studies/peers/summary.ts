import { ratioOf } from "@espalier/bench/measure";
import { formatSpeedup, formatTime } from "@espalier/report";
import { agrees, entryOf, onSoftware, ownOf, type PeerResults, type PeerRun } from "./results.ts";
import { verdicts } from "./targets.ts";

/** Findings of a comparison, as plain lines for a terminal. */
export function peersSummaryLines(results: PeerResults): string[] {
  const { peers, conformance = [], failures } = results;
  const known = verdicts(results).filter(({ met }) => met !== undefined);
  const kept = known.filter(({ met }) => met).length;
  return [
    ...peers.map(({ name, detail }) => `${name}: ${detail}`),
    ...conformance.map(
      ({ backend, checks, failures: broken }) =>
        `${backend}: ${checks - broken.length} of ${checks} checks hold`,
    ),
    ...(known.length === 0 ? [] : [`promises kept: ${kept} of ${known.length}`]),
    ...(onSoftware(results) ? [agreementLine(results)] : results.runs.map((run) => runLine(results, run))),
    ...failures.map(({ model, batch, error }) => `${model}, batch ${batch} failed: ${error}`),
  ];
}

/** On a program that stands in for a GPU only what was computed counts. */
function agreementLine({ runs, settings: { tolerance } }: PeerResults): string {
  const all = runs.flatMap((run) =>
    run.agreement.map(({ peer, variant }) => agrees(run, peer, variant, tolerance)),
  );
  return `outputs agree in ${all.filter((same) => same).length} of ${all.length} cases; no speed is claimed from a program`;
}

function runLine(results: PeerResults, run: PeerRun): string {
  const own = ownOf(results);
  const dense = entryOf(run, own, "dense");
  if (dense === undefined) return `${run.model}, batch ${run.batch}: ${own} was not timed`;
  const others = run.entries.filter((entry) => entry !== dense && !entry.alone);
  const ratios = others.map((entry) =>
    entry.peer === own
      ? `${entry.variant} ${formatSpeedup(ratioOf(dense, entry).median)}`
      : entry.variant === "dense"
        ? `${formatSpeedup(ratioOf(entry, dense).median)} as fast as ${entry.peer}`
        : undefined,
  );
  const said = ratios.filter((text) => text !== undefined);
  return `${run.model}, batch ${run.batch}, ${run.task}: ${[formatTime(dense.timing.median), ...said].join(", ")}`;
}
