import { findPreset } from "../presets/index.ts";
import type { Block, Document } from "../report/document.ts";
import { machinesOf } from "../report/repeat.ts";
import type { ResultRecord } from "../results/records.ts";
import { denseCell, labelOf, stableKey } from "../sweep/cells.ts";
import type { Claim } from "./claim.ts";
import { kieferClaims } from "./kiefer.ts";
import { sedimarkClaims } from "./sedimark.ts";

/** Results of the presets that repeat published work. */
export interface ClaimedResults {
  readonly sedimark: readonly ResultRecord[];
  readonly kiefer: readonly ResultRecord[];
}

/** What was published beside what was measured, also where that contradicts it. */
export function claimsDocument({ sedimark, kiefer }: ClaimedResults): Document {
  const machines = machinesOf([...sedimark, ...kiefer]).map(
    ({ processor, cores }) => `${processor}, ${cores} cores`,
  );
  return {
    title: "Published claims, measured",
    lead: `Both studies at reduced width and with short training; each report says how far. Verdicts are about these runs (one seed), not about the published ones. Fine-tuned models have seen more training than the dense ones: an error below theirs may owe as much to that as to pruning. Measured on: ${[...new Set(machines)].join("; ")}.`,
    blocks: [
      ...part(
        "SEDIMARK: pruning a Crossformer for air quality",
        "sedimark",
        sedimark,
        sedimarkClaims(sedimark),
      ),
      ...part(
        "Kiefer et al.: pruning transformers for time series (arXiv 2412.12883)",
        "kiefer",
        kiefer,
        kieferClaims(kiefer),
      ),
    ],
  };
}

function part(
  title: string,
  preset: string,
  records: readonly ResultRecord[],
  claims: readonly Claim[],
): Block[] {
  const missing = missingModels(preset, records);
  return [
    { kind: "heading", level: 2, text: title },
    { kind: "code", language: "sh", text: `espalier sweep --preset ${preset}` },
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

/** Models of a preset that no results are of. */
function missingModels(preset: string, records: readonly ResultRecord[]): string[] {
  const found = new Set(records.map(({ cell }) => stableKey(denseCell(cell).model)));
  return findPreset(preset).models.flatMap((model) => (found.has(stableKey(model)) ? [] : [labelOf(model)]));
}

function capital(text: string): string {
  return text[0]!.toUpperCase() + text.slice(1);
}
