import { type Block, type Document, paragraph } from "@espalier/report";
import type { Study } from "./comparisons.ts";
import { kieferClaims } from "./kiefer.ts";
import {
  commandBlocks,
  denseTable,
  machineText,
  progressTable,
  settingsTable,
  tunedTable,
} from "./progress.ts";
import { type Claim, howJudged, sentence } from "./rule.ts";
import { sedimarkClaims } from "./sedimark.ts";

/** The sweeps that repeat published work. */
export interface Studies {
  readonly sedimark: Study;
  readonly kiefer: Study;
}

/** Published claims next to measurements, including those that contradict them. */
export function claimsDocument({ sedimark, kiefer }: Studies): Document {
  return {
    title: "Published claims, measured",
    lead: "Each claim is judged by a rule that was written down before the runs. Where the runs do not bear a verdict yet, none is given: the figures so far stand beside it.",
    blocks: [
      { kind: "heading", level: 2, text: "How claims are judged" },
      { kind: "list", items: howJudged },
      ...part("SEDIMARK: pruning a Crossformer for air quality", sedimark, sedimarkClaims(sedimark)),
      ...part(
        "Kiefer et al.: pruning transformers for time series (arXiv 2412.12883)",
        kiefer,
        kieferClaims(kiefer),
      ),
    ],
  };
}

function part(title: string, study: Study, claims: readonly Claim[]): Block[] {
  return [
    { kind: "heading", level: 2, text: title },
    {
      kind: "table",
      table: {
        caption: "In short",
        columns: [{ label: "published" }, { label: "here" }],
        rows: claims.map(({ says, verdict }) => [says, verdict]),
      },
    },
    { kind: "table", table: progressTable(study) },
    { kind: "table", table: settingsTable(study) },
    ...claims.flatMap(({ says, verdict, rule, because, figures }): Block[] => [
      { kind: "heading", level: 3, text: says },
      paragraph(`${sentence(verdict)} ${because}`),
      paragraph(`Rule: ${rule}`),
      ...(figures === undefined ? [] : [{ kind: "table", table: figures } as const]),
    ]),
  ];
}

/** The page of a study's results: what is done, whether the dense models are trained, what differs, how to go on. */
export function studyDocument(study: Study): Document {
  const machine = machineText(study.records);
  const tuned = tunedTable(study);
  return {
    title: study.title,
    lead: study.about,
    blocks: [
      { kind: "table", table: progressTable(study) },
      paragraph(
        machine === ""
          ? "Nothing has run yet."
          : `Backend ${study.config.trainingBackend}, one thread; ${machine}. What follows for the published claims is in results/CLAIMS.md.`,
      ),
      { kind: "table", table: denseTable(study) },
      ...(tuned === undefined ? [] : [{ kind: "table", table: tuned } as const]),
      { kind: "table", table: settingsTable(study) },
      ...commandBlocks(study),
    ],
  };
}
