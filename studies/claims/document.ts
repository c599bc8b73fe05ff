import { denseCell, labelOf, type ResultRecord, type SweepConfig, stableKey } from "@espalier/bench";
import { type Block, type Document, machinesOf } from "@espalier/report";
import type { Claim } from "./claim.ts";
import { kieferClaims } from "./kiefer.ts";
import { sedimarkClaims } from "./sedimark.ts";

/** A repeated study: its sweep file and the results so far. */
export interface Study {
  /** Path of the sweep file within the repository. */
  readonly file: string;
  readonly config: SweepConfig;
  readonly records: readonly ResultRecord[];
}

/** The sweeps that repeat published work. */
export interface Studies {
  readonly sedimark: Study;
  readonly kiefer: Study;
}

/** What was published beside what was measured, also where that contradicts it. */
export function claimsDocument({ sedimark, kiefer }: Studies): Document {
  const machines = machinesOf([...sedimark.records, ...kiefer.records]).map(
    ({ processor, cores }) => `${processor}, ${cores} cores`,
  );
  return {
    title: "Published claims, measured",
    lead: `Both studies at reduced width and with short training; each report says how far. Verdicts are about these runs (one seed), not about the published ones. Fine-tuned models have seen more training than the dense ones: an error below theirs may owe as much to that as to pruning. Measured on: ${[...new Set(machines)].join("; ")}.`,
    blocks: [
      ...part("SEDIMARK: pruning a Crossformer for air quality", sedimark, sedimarkClaims(sedimark.records)),
      ...part(
        "Kiefer et al.: pruning transformers for time series (arXiv 2412.12883)",
        kiefer,
        kieferClaims(kiefer.records),
      ),
    ],
  };
}

function part(title: string, study: Study, claims: readonly Claim[]): Block[] {
  const missing = missingModels(study);
  return [
    { kind: "heading", level: 2, text: title },
    { kind: "code", language: "sh", text: `espalier sweep ${study.file}` },
    ...(missing.length === 0
      ? []
      : [{ kind: "paragraph", text: `Not measured yet: ${missing.join(", ")}.` } as const]),
    {
      kind: "table",
      table: {
        caption: "In short",
        columns: [{ label: "published" }, { label: "here" }],
        rows: claims.map(({ says, verdict }) => [says, verdict]),
      },
    },
    ...claims.flatMap(({ says, verdict, because, figures }): Block[] => [
      { kind: "heading", level: 3, text: says },
      { kind: "paragraph", text: `${capital(verdict)}. ${because}` },
      { kind: "table", table: figures },
    ]),
  ];
}

/** Models of a study without results. */
function missingModels({ config, records }: Study): string[] {
  const found = new Set(records.map(({ cell }) => stableKey(denseCell(cell).model)));
  return config.models.flatMap((model) => (found.has(stableKey(model)) ? [] : [labelOf(model)]));
}

function capital(text: string): string {
  return text[0]!.toUpperCase() + text.slice(1);
}
